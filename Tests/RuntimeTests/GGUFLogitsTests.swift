import Architectures
import Checkpoints
import Foundation
import Kernels
import Mixers
import ModelFiles
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Runtime

/// GGUF files compute what their directories compute.
struct GGUFLogitsTests {
  private let directory: TemporaryDirectory
  private let tokens = someTokens(24)

  init() throws { directory = try TemporaryDirectory() }

  private func gguf(
    _ architecture: String, quantised: Bool = false, divisors: [Float]? = nil
  ) throws -> Model {
    let file = try GGUFModel(
      directory("hf"), as: architecture, quantised: quantised, divisors: divisors)
    return try openModel(directory.write("m.gguf", file.writer.bytes))
  }

  @Test(arguments: [
    (TinyModel.llama, "llama"), (.llamaBias, "llama"), (.qwen2Tied, "qwen2"), (.qwen3, "qwen3"),
  ])
  func `unquantised`(_ model: TinyModel, _ architecture: String) throws {
    try model.synthesize(to: directory("hf"))
    let expected = try openModel(directory("hf")).logits(tokens)
    let file = try gguf(architecture)
    #expect(difference(try file.logits(tokens), expected) < 1e-6)
    #expect(difference(try file.logits(tokens, stepwise: true), expected) < 1e-5)
  }

  @Test func `in blocks, as the values that the blocks hold`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    let model = try gguf("llama", quantised: true)
    let file = try ModelFile.open(directory("m.gguf"))
    let dense = try Model(
      file.description,
      weights: ReplacedWeights(base: file) { _, view in
        let count = view.rows * view.columns
        let values = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
          if let start = buffer.baseAddress {
            RowDecoder.decode(view, rows: 0..<view.rows, into: start)
          }
          initialized = count
        }
        return MemoryStorage.view(values, shape: view.shape)
      })
    #expect(difference(try model.logits(tokens), try dense.logits(tokens)) < 1e-5)
    #expect(difference(try model.logits(tokens, stepwise: true), try dense.logits(tokens)) < 1e-5)
    // Eight bits change the model a little, and not more.
    let exact = try openModel(directory("hf")).logits(tokens)
    let change = difference(try model.logits(tokens), exact)
    #expect(change > 1e-5 && change < 0.05)
  }

  @Test func `Llama 3's scaling, stored as divisors`() throws {
    try TinyModel.llama3.synthesize(to: directory("hf"))
    let model = try openModel(directory("hf"))
    // What llama.cpp's converter writes for factor 8, low 1, high 4 and 256 positions.
    let divisors: [Float] = (0..<8).map { index in
      let wavelength = 2 * Double.pi * pow(500_000, Double(index) / 8)
      if wavelength < 256.0 / 4 { return 1 }
      if wavelength > 256 { return 8 }
      let smooth = (256 / wavelength - 1) / 3
      return Float(1 / ((1 - smooth) / 8 + smooth))
    }
    #expect(Set(divisors).count > 2)
    let file = try gguf("llama", divisors: divisors)
    #expect(difference(try file.logits(tokens), try model.logits(tokens)) < 1e-5)
    #expect(difference(try gguf("llama").logits(tokens), try model.logits(tokens)) > 1e-4)
  }

  /// YaRN by config.json, and by the keys that say the same.
  static let yarn: [([String: JSONValue], [String: Float])] = [
    ([:], [:]),
    (["beta_fast": 4, "beta_slow": 0.5], ["yarn_beta_fast": 4, "yarn_beta_slow": 0.5]),
    (["mscale": 1, "mscale_all_dim": 0.5], ["yarn_log_multiplier": 0.5]),
    (["attention_factor": 1.5], ["attn_factor": Float(1.5 / (0.1 * log(4) + 1))]),
  ]

  @Test(arguments: [(TinyModel.llama, "llama"), (.qwen2Tied, "qwen2"), (.qwen3, "qwen3")], yarn)
  func `YaRN is that of a configuration`(
    _ model: (TinyModel, String), _ said: ([String: JSONValue], [String: Float])
  ) throws {
    try model.0.synthesize(to: directory("hf"))
    let plain = try openModel(directory("hf")).logits(tokens)
    var scaling: JSONObject = [
      "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16,
    ]
    for (key, value) in said.0 { scaling[key] = value }
    try CheckpointEdit(directory("hf")).configure(["rope_scaling": .object(scaling)])
    let expected = try openModel(directory("hf")).logits(tokens)
    var writer = try GGUFModel(directory("hf"), as: model.1).writer
    let section = "\(model.1).rope.scaling"
    writer.set("\(section).type", "yarn")
    writer.set("\(section).factor", Float(4))
    writer.set("\(section).original_context_length", 16)
    for (key, value) in said.1 { writer.set("\(section).\(key)", value) }
    let found = try openModel(directory.write("m.gguf", writer.bytes)).logits(tokens)
    #expect(difference(found, expected) < 1e-5)
    #expect(difference(found, plain) > 1e-4)
  }

  /// Sources that are not like Llama, and the keys that their files have besides.
  @Test(arguments: ["gemma2", "gemma3", "qwen3moe", "mixtral", "olmoe", "olmo2", "smollm3"])
  func `other architectures`(_ kind: String) throws {
    let model = try GGUFSource(kind, in: directory)
    let file = try model.file()
    #expect(file.problems == [])
    var expected = model.source.description
    expected.normsAddOne = false
    #expect(expected.differences(from: file.description) == ["these special tokens"])
    let golden = try Model(model.source.description, weights: model.source).logits(
      GGUFSource.tokens)
    let found = try Model(file.description, weights: file)
    #expect(difference(try found.logits(GGUFSource.tokens), golden) < 1e-6)
    #expect(difference(try found.logits(GGUFSource.tokens, stepwise: true), golden) < 1e-5)
  }
}
