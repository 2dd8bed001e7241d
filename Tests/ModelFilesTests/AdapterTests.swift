import Architectures
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import ModelFiles

/// Adapters of PEFT merged into the models that they were trained on.
struct AdapterTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let pairs = [
    ("phi3", "phi3"), ("biases", "granite"), ("lora-bias", "granite"), ("embedding", "gemma2"),
  ]

  private func model(_ name: String) throws -> ModelFile {
    try ModelFile.open(Repository.fixture("sources/\(name)"))
  }

  /// A copy of the fixture `name` after changes to its configuration.
  private func adapter(_ name: String, _ changes: [String: JSONValue] = [:]) throws -> String {
    let copy = directory(name), file = copy + "/adapter_config.json"
    try FileManager.default.copyItem(
      atPath: Repository.fixture("adapters/\(name)"), toPath: copy)
    var object = try JSONFile.object(file)
    for (key, value) in changes { object[key] = value }
    try Data(JSONValue.object(object).pretty.utf8).write(to: URL(fileURLWithPath: file))
    return copy
  }

  @Test(arguments: pairs)
  func `merged weights are those of PEFT`(_ name: String, _ source: String) throws {
    let file = try model(source).merging(Repository.fixture("adapters/\(name)"))
    let golden = try SafetensorsFile(
      path: Repository.fixture("adapters/\(name)/golden.safetensors"))
    var compared = 0
    for requirement in file.description.stored(under: file.names) {
      guard let tensor = requirement.name, golden.tensor(named: tensor) != nil else { continue }
      let expected = try golden.view(tensor).floats
      let found = try requirement.pieces.flatMap { try file.view($0.address).floats }
      let scale = expected.reduce(0) { max($0, $1.magnitude) }
      let worst = zip(found, expected).reduce(Float(0)) { max($0, ($1.0 - $1.1).magnitude) }
      #expect(found.count == expected.count)
      #expect(worst <= 1e-6 * scale, "\(tensor): \(worst)")
      compared += 1
    }
    #expect(compared >= 1)
    #expect(file.notes.contains { $0.contains("A LoRA adapter is merged") })
  }

  @Test func `a head that is the embedding stays what it was when that alone is adapted`() throws {
    let base = try model("gemma2")
    let file = try base.merging(Repository.fixture("adapters/embedding"))
    #expect(base.description.tiesEmbeddings)
    #expect(!file.description.tiesEmbeddings)
    let before = try base.view(TensorAddress(.embedding)).floats
    #expect(try file.view(TensorAddress(.head)).floats == before)
    #expect(try file.view(TensorAddress(.embedding)).floats != before)
    let tied = try base.merging(adapter("embedding", ["ensure_weight_tying": true]))
    #expect(tied.description.tiesEmbeddings)
  }

  @Test(
    arguments: [
      ("peft_type", "IA3", "kind IA3"), ("use_dora", true, "DoRA"),
      ("init_lora_weights", "pissa", "base weights"), ("layer_replication", [[0, 2]], "layers"),
      ("rank_pattern", ["q_.*": 4], "regular expression"), ("r", 7, "rank 4"),
      ("trainable_token_indices", [1], "embedding"), ("target_parameters", ["a"], "parameters"),
      ("lora_alpha", "much", "a number"),
    ] as [(String, JSONValue, String)])
  func `what is not merged is refused by name`(
    _ key: String, _ value: JSONValue, _ words: String
  ) throws {
    let base = try model("granite"), path = try adapter("biases", [key: value])
    let error = #expect(throws: (any Error).self) { try base.merging(path) }
    #expect("\(try #require(error))".contains(words))
  }

  @Test func `keys that are not known are told, and an adapter of another model is refused`() throws
  {
    let file = try model("granite").merging(adapter("biases", ["use_later": 1]))
    #expect(file.notes.contains { $0.contains("use_later") })
    #expect(throws: AdapterError.self) { try model("phi3").merging(directory("biases")) }
    #expect(throws: AdapterError.self) { try file.merging(directory("biases")) }
    #expect(throws: AdapterError.isModel(path: Repository.fixture("sources/phi3"))) {
      try model("phi3").merging(Repository.fixture("sources/phi3"))
    }
  }

  @Test func `matrices of another shape, or without their other half, are refused`() throws {
    let path = try adapter("biases"), file = path + "/adapter_model.safetensors"
    let base = try model("granite")
    func write(_ tensors: [(String, Shape)]) throws {
      let header = try SafetensorsHeader(
        file: file,
        entries: tensors.map { .init(name: $0.0, type: .float32, shape: $0.1) })
      let bytes = tensors.reduce(0) { $0 + 4 * ($1.1.elementCount ?? 0) }
      try Data(header.bytes + [UInt8](repeating: 0, count: bytes)).write(
        to: URL(fileURLWithPath: file))
    }
    let name = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
    for (tensors, words) in [
      ([(name + "A.weight", [4, 32])], "lora_B"),
      ([(name + "A.weight", [4, 31]), (name + "B.weight", [32, 4])], "shape"),
      ([(name + "A.weight", [4, 32]), (name + "B.weight", [32, 3])], "shape"),
      ([(name + "A.weight", [4, 32]), (name + "magnitude_vector", [32])], "no meaning"),
      ([], "no tensor"),
    ] as [([(String, Shape)], String)] {
      try write(tensors)
      let error = #expect(throws: (any Error).self) { try base.merging(path) }
      #expect("\(try #require(error))".contains(words))
    }
  }
}
