import Mixers
import StrictJSON
import TestSupport
import Testing

@testable import Architectures

/// Keys that no architecture asks for: harmless, refused by name, or told.
struct ConfigurationKeyTests {
  private func notes(
    _ model: String, _ changes: [String: JSONValue?] = [:]
  ) throws -> [String] {
    let configuration = try TinyModel.configuration(model, changes)
    _ = try Architectures.of(configuration).describe(configuration)
    return try configuration.restNotes()
  }

  @Test(arguments: [
    "qwen2", "qwen2-tied", "qwen2-windowed", "qwen3", "mistral", "llama", "llama-bias",
    "llama-rope-linear", "llama-rope-llama3", "gla_swa", "spikingbrain", "experts", "carved",
    "intra-layer",
  ])
  func `our own files have nothing to tell`(_ name: String) throws {
    #expect(try notes(name) == [])
  }

  @Test func `every key of the tables is in one of them only`() {
    let table = Configuration.furtherKeys
    var seen: Set<String> = []
    for key in table.harmless.values.flatMap(\.self) + Array(table.decisive.keys)
      + Array(table.told.keys)
    {
      #expect(seen.insert(key).inserted, "\(key)")
    }
    #expect(seen.count > 200)
  }

  @Test func `harmless keys may have any value`() throws {
    for key in Configuration.furtherKeys.harmless.values.flatMap(\.self) {
      #expect(try notes("mistral", [key: 7]) == [], "\(key)")
    }
  }

  @Test func `decisive keys are refused by name, but not at their neutral values`() throws {
    let table = Configuration.furtherKeys
    for (key, neutral) in table.decisive {
      for value in neutral + [.null] { #expect(try notes("mistral", [key: value]) == [], "\(key)") }
      #expect {
        try notes("mistral", [key: "something else"])
      } throws: { error in
        (error as? ConfigurationError)?.what.hasPrefix("\"\(key)\"") == true
      }
    }
  }

  @Test func `unknown keys are listed in one note`() throws {
    let found = try notes("qwen3", ["my_key": 1, "other_key": ["a": 2], "nothing": .some(.null)])
    #expect(found.count == 1)
    #expect(found[0].contains("my_key, other_key") || found[0].contains("other_key, my_key"))
  }

  @Test func `code of the checkpoint's own is told of in sources`() throws {
    let map: JSONValue = ["AutoModelForCausalLM": "modeling_x.X"]
    #expect(try notes("llama", ["auto_map": map]).first?.contains("auto_map") == true)
    #expect(try notes("gla_swa", ["auto_map": map]) == [])
  }

  @Test func `absent head counts are those of the configuration class`() throws {
    let absent: JSONValue? = nil
    func heads(_ model: TinyModel, _ value: JSONValue?) throws -> Int {
      let changes: [String: JSONValue?] = [
        "num_key_value_heads": value, "num_attention_heads": 32, "head_dim": 8,
      ]
      let configuration = try model.configuration(changes)
      return try Architectures.of(configuration).describe(configuration).keyValueHeads
    }
    #expect(try heads(.llama, absent) == 32)
    #expect(try heads(.mistral, absent) == 8)
    #expect(try heads(.mistral, .null) == 32)
    #expect(try heads(.qwen2, absent) == 32)
  }

  @Test func `Qwen's window is 4096 when it is used and not given`() throws {
    let absent: JSONValue? = nil
    let configuration = try TinyModel.qwen2Windowed.configuration(["sliding_window": absent])
    let model = try Qwen2.describe(configuration)
    #expect(model.layers.map(\.mixer.text) == ["full", "full", "window 4096", "window 4096"])
  }
}
