import Architectures
import Checkpoints
import StrictJSON
import TestSupport
import Testing

@testable import ModelFiles

/// The page of supported architectures, which follows from the registry.
struct ArchitectureTableTests {
  @Test func `docs/architectures.md shows every source`() throws {
    let head = """
      # Architectures

      What `convert` reads as a source, by the `model_type` of config.json. This page is made from `Architectures.all`:
      a file each in `Sources/Architectures` ([extending](extending.md)).

      Every one can be converted, verified, healed, ranked (`auto:N`), upcycled unless it has experts already, and
      calibrated; `export --profile hf` and `gguf` take what comes of it. Of models of several parts (Qwen2-VL, Qwen2.5-VL,
      Qwen3-VL, Gemma 3, Mistral 3, LLaVA) the language model is read, and the parts that are left out are named.
      Rotary scalings are those that were tried on its configuration; `dynamic` holds up to the trained length, and longer
      texts are refused.

      | `model_type` | models | what it has beside Llama | in GGUF files | rotary scalings |
      |---|---|---|---|---|

      """
    let rows = try Architectures.all.filter { $0.isSource }.map { source in
      let summary: ArchitectureSummary? = source.summary
      let about = try #require(summary)
      let names = GGUFForm.all.filter {
        ([$0.value.modelType] + $0.value.otherTypes).contains(source.modelType)
      }.keys.sorted().map { "`\($0)`" }
      let cells = [
        "`\(source.modelType)`", about.models, about.special,
        names.isEmpty ? "no" : names.joined(separator: ", "),
        try scalings(source).joined(separator: ", "),
      ]
      return "| " + cells.joined(separator: " | ") + " |\n"
    }
    try Snapshot("docs/architectures.md", isDocument: true).require(head + rows.joined())
  }

  /// The rotary scalings that a configuration of `source` may name.
  private func scalings(_ source: any Architecture.Type) throws -> [String] {
    let config = try configuration(source.modelType)
    return ["linear", "dynamic", "yarn", "longrope", "llama3"].filter { kind in
      var object: JSONObject = JSONObject([("rope_type", .string(kind))])
      if kind != "longrope" { object["factor"] = 2.0 }
      if kind == "yarn" || kind == "llama3" { object["original_max_position_embeddings"] = 32 }
      if kind == "llama3" { (object["low_freq_factor"], object["high_freq_factor"]) = (1.0, 4.0) }
      // The divisors of a head of any size, and a key without which one class has no embedding.
      return (1...32).contains { pairs in
        [false, true].contains { isGrowing in
          var object = object
          if kind == "longrope" {
            for key in ["short_factor", "long_factor"] {
              object[key] = .array(Array(repeating: 1.5, count: pairs))
            }
          }
          if isGrowing { object["llama_4_scaling_beta"] = 0 }
          var changed = config
          changed["rope_parameters"] = nil
          changed["rope_scaling"] = .object(object)
          return (try? source.describe(Configuration(changed, file: "config.json"))) != nil
        }
      }
    }
  }

  /// A small configuration of `type`.
  private func configuration(_ type: String) throws -> JSONObject {
    let wholes = [
      "qwen2_vl_text": "qwen2_5_vl", "qwen2_5_vl_text": "qwen2_5_vl", "qwen3_vl_text": "qwen3_vl",
    ]
    if let whole = wholes[type] {
      let object = try JSONFile.object(Repository.fixture("sources/\(whole)/config.json"))
      return try #require(object["text_config"]?.object)
    }
    if type == "minicpm" {
      return try JSONFile.object(Repository.fixture("sources/minicpm/config.json"))
    }
    var base = try #require(
      JSONFile.object(Repository.fixture("fields/\(type).json"))["base"]?.object)
    base["model_type"] = .string(type)
    return base
  }
}
