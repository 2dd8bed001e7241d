import Architectures
import Checkpoints
import Foundations
import ModelFiles
import StrictJSON
import TestSupport
import Testing

@testable import Runtime

/// Every field of the source configurations of `transformers`, changed one at a time: the logits are
/// those that it computes, or the file is refused, naming the key. There is no third outcome.
///
/// Tests/Reference/make_field_fixtures.py makes the fixtures.
struct ConfigurationFieldTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// The variants of an architecture.
  private struct Variants {
    let architecture: String
    var tokens: [Int]
    var absent: JSONValue
    var base: JSONObject
    var list: [JSONValue]

    init(_ architecture: String) throws {
      self.architecture = architecture
      let document = try JSONFile.object(Repository.fixture("fields/\(architecture).json"))
      tokens = try #require(document["tokens"]?.array).compactMap(\.int)
      absent = try #require(document["absent"])
      base = try #require(document["base"]?.object)
      list = try #require(document["variants"]?.array)
    }

    /// The config.json of a variant.
    func configuration(_ variant: JSONValue) throws -> JSONObject {
      var object = base
      object["model_type"] = .string(architecture)
      for (key, value) in try #require(variant["changes"]?.object).members {
        object[key] = value == absent ? Optional.none : value
      }
      return object
    }
  }

  /// Why the model in `directory` is refused; nil when it is not.
  private func refusal(_ open: () throws -> Model) throws -> (any ReportableError)? {
    do {
      _ = try open()
      return nil
    } catch let error as any ReportableError {
      return error
    }
  }

  static let architectures = [
    "llama", "mistral", "qwen2", "qwen3", "phi3", "gemma2", "olmo2", "granite", "gemma3_text",
    "qwen3_moe", "mixtral", "olmoe", "smollm3", "olmo3", "ministral", "ministral3", "seed_oss",
  ]

  @Test(arguments: architectures)
  func `are used or refused by name`(_ architecture: String) throws {
    let variants = try Variants(architecture)
    let golden = try SafetensorsFile(path: Repository.fixture("fields/logits.safetensors"))
    let expected = try golden.elements(architecture, as: Float.self)
    let weights = try Files.bytes(Repository.fixture("fields/\(architecture).safetensors"))
    try directory.write("m/model.safetensors", weights)
    var computed = 0, refused = 0
    for variant in variants.list {
      let configuration = JSONValue.object(try variants.configuration(variant))
      try directory.write("m/config.json", configuration.compact)
      let changes = variant["changes"]?.compact ?? ""
      guard let number = variant["logits"]?.int else {
        let error = try refusal {
          let model = try openModel(directory("m"))
          _ = try model.logits(variants.tokens)
          return model
        }
        guard let error else {
          Issue.record("not refused: \(changes)")
          continue
        }
        let key = variant["key"]?.string ?? ""
        #expect(error.description.contains(key), "\(changes): \(error)")
        #expect(error.exitCode == 2)
        refused += 1
        continue
      }
      do {
        let model = try openModel(directory("m"))
        let count = variants.tokens.count * model.description.vocabularySize
        let logits = try model.logits(variants.tokens)
        let rows = expected[number * count..<(number + 1) * count]
        #expect(difference(logits, rows) < GoldenLogitsTests.tolerance, "\(changes)")
        computed += 1
      } catch {
        Issue.record("refused: \(changes): \(error)")
      }
    }
    #expect(computed > 100 && refused > 60)
  }
}
