import Architectures
import Checkpoints
import ModelFiles
import Recipes
import TensorTypes
import TestSupport
import Testing

@testable import Conversion

/// Where each planned tensor comes from, and in which type.
struct PlannedTensorTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func tensors(
    _ model: TinyModel, type: SyntheticPlan.ElementType = .float32,
    change: (inout ConvertSettings) -> Void = { _ in }
  ) throws -> [String: CheckpointPlan.PlannedTensor] {
    let path = directory("\(directory.names.count)")
    try model.synthesize(to: path, type: type)
    let plan = try ConversionPlan.make(
      from: ModelFile.open(path), settings: TinyModel.settings(change))
    return Dictionary(uniqueKeysWithValues: plan.tensors.map { ($0.name, $0) })
  }

  /// The float32 values that a planned tensor will hold.
  private func values(_ tensor: CheckpointPlan.PlannedTensor) throws -> [Float] {
    var bytes: [UInt8] = []
    try tensor.transform.produce(block: 100) { bytes += $0 }
    #expect(bytes.count == tensor.byteCount)
    #expect(tensor.type == .float32)
    return bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  @Test func `copies name their sources`() throws {
    let tensors = try tensors(.qwen2)
    for (target, source) in [
      ("model.embeddings.weight", "model.embed_tokens.weight"),
      ("lm_head.weight", "lm_head.weight"),
      ("model.layers.2.attn_norm.weight", "model.layers.2.input_layernorm.weight"),
      ("model.layers.2.mlp_norm.weight", "model.layers.2.post_attention_layernorm.weight"),
      ("model.layers.1.attn.q_proj.bias", "model.layers.1.self_attn.q_proj.bias"),
      ("model.layers.0.mlp.down_proj.weight", "model.layers.0.mlp.down_proj.weight"),
    ] {
      #expect(tensors[target]?.transform.sources == [source])
      #expect(tensors[target]?.transform.record == TransformRecord(.copy))
    }
  }

  @Test func `a tied head is the embedding, written out`() throws {
    let head = try #require(try tensors(.qwen2Tied)["lm_head.weight"])
    #expect(head.transform.sources == ["model.embed_tokens.weight"])
    #expect(head.shape == [320, 64])
  }

  @Test(arguments: [TinyModel.llama, .mistral, .qwen3])
  func `missing q, k and v biases are zeros in every layer`(_ model: TinyModel) throws {
    let tensors = try tensors(model)
    for layer in 0..<3 {
      for role in ["q", "k", "v"] {
        let bias = try #require(tensors["model.layers.\(layer).attn.\(role)_proj.bias"])
        #expect(bias.transform.sources == [])
        #expect(try values(bias).allSatisfy { $0 == 0 && $0.sign == .plus })
      }
      #expect(tensors["model.layers.\(layer).attn.o_proj.bias"] == nil)
    }
  }

  @Test func `gates start as a pure bias`() throws {
    let tensors = try tensors(.llama) { $0.gateBias = 1.5 }
    let prefix = "model.layers.2.attn."
    let high = try #require(tensors[prefix + "gk_proj.1.weight"])
    let bias = try #require(tensors[prefix + "gk_proj.1.bias"])
    let norm = try #require(tensors[prefix + "g_norm.weight"])
    #expect(try values(high) == Array(repeating: 0, count: 32 * 16))
    #expect(try values(bias) == Array(repeating: 1.5, count: 32))
    #expect(try values(norm) == Array(repeating: 1, count: 16))
    #expect(tensors["model.layers.1.attn.g_norm.weight"] == nil)
  }

  @Test func `the first gate matrix is random, seeded, and different in each layer`() throws {
    let name = "model.layers.0.attn.gk_proj.0.weight"
    func gate(_ name: String, seed: UInt64) throws -> [Float] {
      try values(#require(try tensors(.llama) { $0.seed = seed }[name]))
    }
    let first = try gate(name, seed: 0)
    #expect(first.count == 16 * 64)
    #expect(first.allSatisfy { abs($0) <= 0.125 })
    #expect(abs(first.reduce(0, +) / Float(first.count)) < 0.01)
    #expect(Set(first).count > 1000)
    #expect(try gate(name, seed: 0) == first)
    #expect(try gate(name, seed: 1) != first)
    #expect(try gate("model.layers.2.attn.gk_proj.0.weight", seed: 0) != first)
  }

  @Test(arguments: SyntheticPlan.ElementType.allCases)
  func `keep writes every tensor in its own type, new ones as q`(
    _ type: SyntheticPlan.ElementType
  ) throws {
    let tensors = try tensors(.llama, type: type)
    #expect(Set(tensors.values.map(\.type)) == [type.scalarType])
  }

  @Test(arguments: [
    (ConvertSettings.OutputType.bfloat16, ScalarType.bfloat16), (.float16, .float16),
    (.float32, .float32),
  ])
  func `a type that is asked for is that of every tensor`(
    _ type: ConvertSettings.OutputType, _ expected: ScalarType
  ) throws {
    let tensors = try tensors(.llama, type: .bfloat16) { $0.dtype = type }
    #expect(Set(tensors.values.map(\.type)) == [expected])
    let norm = try #require(tensors["model.norm.weight"])
    #expect(norm.transform.record == TransformRecord(copying: .bfloat16, as: expected))
  }

  @Test func `quantised tensors become bfloat16, the others stay`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    let gguf = try GGUFModel(directory("hf"), as: "llama", quantised: true)
    let file = try ModelFile.open(directory.write("m.gguf", gguf.writer.bytes))
    let plan = try ConversionPlan.make(from: file, settings: ConvertSettings())
    let types = Dictionary(uniqueKeysWithValues: plan.tensors.map { ($0.name, $0.type) })
    #expect(types["model.layers.0.attn.q_proj.weight"] == .bfloat16)
    #expect(types["model.layers.0.attn_norm.weight"] == .float32)
    #expect(types["model.layers.0.attn.gk_proj.0.weight"] == .bfloat16)
  }
}
