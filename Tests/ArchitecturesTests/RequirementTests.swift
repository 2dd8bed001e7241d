import Architectures
import Mixers
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// The tensors a description calls for, by the names files use.
struct RequirementTests {
  private func required(
    _ name: String, _ changes: [String: JSONValue?] = [:]
  ) throws -> [String: Shape] {
    let configuration = try TinyModel.configuration(name, changes)
    let architecture = try Architectures.of(configuration)
    let model = try architecture.describe(configuration)
    var shapes: [String: Shape] = [:]
    for requirement in model.requirements {
      let tensor = try #require(architecture.names.name(of: requirement.address))
      #expect(shapes[tensor] == nil, "\(tensor) is asked for twice")
      shapes[tensor] = requirement.shape
    }
    return shapes
  }

  @Test func `of a Llama model`() throws {
    let shapes = try required("llama", ["num_hidden_layers": 1])
    #expect(
      shapes == [
        "model.embed_tokens.weight": [320, 64], "model.norm.weight": [64],
        "lm_head.weight": [320, 64],
        "model.layers.0.input_layernorm.weight": [64],
        "model.layers.0.self_attn.q_proj.weight": [64, 64],
        "model.layers.0.self_attn.k_proj.weight": [32, 64],
        "model.layers.0.self_attn.v_proj.weight": [32, 64],
        "model.layers.0.self_attn.o_proj.weight": [64, 64],
        "model.layers.0.post_attention_layernorm.weight": [64],
        "model.layers.0.mlp.gate_proj.weight": [112, 64],
        "model.layers.0.mlp.up_proj.weight": [112, 64],
        "model.layers.0.mlp.down_proj.weight": [64, 112],
      ])
  }

  @Test func `tied embeddings need no head`() throws {
    #expect(try required("qwen2-tied")["lm_head.weight"] == nil)
    #expect(try required("qwen2")["lm_head.weight"] == [320, 64])
  }

  @Test func `biases where the architecture has them`() throws {
    let qwen = try required("qwen2").keys.filter { $0.hasSuffix("bias") }
    #expect(qwen.count == 3 * 3)
    #expect(qwen.allSatisfy { !$0.contains("o_proj") })
    #expect(try required("llama-bias").keys.count { $0.hasSuffix("bias") } == 3 * 7)
    #expect(try required("mistral").keys.count { $0.hasSuffix("bias") } == 0)
  }

  @Test func `a head_dim of its own widens q, k, v and o`() throws {
    let shapes = try required("qwen3")
    #expect(shapes["model.layers.2.self_attn.q_proj.weight"] == [96, 64])
    #expect(shapes["model.layers.2.self_attn.k_proj.weight"] == [48, 64])
    #expect(shapes["model.layers.2.self_attn.o_proj.weight"] == [64, 96])
    #expect(shapes["model.layers.2.self_attn.k_norm.weight"] == [24])
  }

  @Test func `linear layers alone have gates and output norms`() throws {
    let shapes = try required("gla_swa")
    #expect(shapes["model.layers.0.attn.gk_proj.0.weight"] == [16, 64])
    #expect(shapes["model.layers.0.attn.gk_proj.1.weight"] == [32, 16])
    #expect(shapes["model.layers.0.attn.gk_proj.1.bias"] == [32])
    #expect(shapes["model.layers.0.attn.g_norm.weight"] == [16])
    #expect(!shapes.keys.contains { $0.hasPrefix("model.layers.1.attn.g") })
    #expect(shapes["model.embeddings.weight"] == [320, 64])
    #expect(shapes["model.layers.1.attn.q_proj.bias"] == [64])
  }

  @Test func `the gate's rank is the configuration's`() throws {
    let shapes = try required("spikingbrain", ["gate_low_rank_dim": 8])
    #expect(shapes["model.layers.3.attn.gk_proj.0.weight"] == [8, 64])
    #expect(shapes["model.layers.3.attn.gk_proj.1.weight"] == [48, 8])
  }

  @Test func `a merged gate takes the place of the pair`() throws {
    var model = try GLASwa.describe(TinyModel.configuration("gla_swa"))
    model.adoptMergedGates { $0 == TensorAddress(.gateMerged, layer: 2) }
    #expect(model.layers.map(\.mixer)[0] == .gatedLinear(.lowRank(16)))
    let shapes = model.requirements(ofLayer: 2).filter { $0.address.role == .gateMerged }
    #expect(shapes.map(\.shape) == [[32, 64], [32]])
    #expect(!model.requirements(ofLayer: 2).contains { $0.address.role == .gateLow })
  }

  @Test func `parameters are counted once`() throws {
    let model = try Qwen2.describe(TinyModel.qwen2Tied.configuration())
    let layer = 2 * 64 + 64 * 64 * 2 + 32 * 64 * 2 + 64 + 32 + 32 + 3 * 112 * 64
    #expect(model.parameterCount == 320 * 64 + 3 * layer + 64)
    #expect(model.activeParameterCount == model.parameterCount)
    let untied = try Qwen2.describe(TinyModel.qwen2.configuration())
    #expect(untied.parameterCount == model.parameterCount + 320 * 64)
    #expect(untied.activeParameterCount == untied.parameterCount)
  }

  @Test func `experts, and a shared one as wide as all shared ones together`() throws {
    let shapes = try required("experts")
    #expect(shapes["model.layers.1.mlp.gate.weight"] == [5, 64])
    #expect(shapes["model.layers.2.mlp.experts.4.up_proj.weight"] == [40, 64])
    #expect(shapes["model.layers.2.mlp.experts.4.down_proj.bias"] == [64])
    #expect(shapes["model.layers.2.mlp.experts.5.up_proj.weight"] == nil)
    #expect(shapes["model.layers.1.mlp.shared_expert.down_proj.weight"] == [64, 80])
    #expect(shapes["model.layers.1.mlp.up_proj.weight"] == nil)
    #expect(shapes["model.layers.0.mlp.up_proj.weight"] == [112, 64])
    #expect(shapes["model.layers.0.mlp.gate.weight"] == nil)
  }

  @Test func `parallel branches have norms, factors and no gates`() throws {
    let shapes = try required("intra-layer")
    #expect(shapes["model.sink_tokens"] == [3, 64])
    for layer in 0..<4 {
      #expect(shapes["model.layers.\(layer).attn.la_norm.weight"] == [4, 24])
      #expect(shapes["model.layers.\(layer).attn.sa_norm.weight"] == [4, 24])
      #expect(shapes["model.layers.\(layer).attn.branch_scale"] == [2])
      #expect(shapes["model.layers.\(layer).attn.gk_proj.0.weight"] == nil)
    }
  }

  @Test func `carved experts have widths of their own`() throws {
    let shapes = try required("carved")
    #expect(shapes["model.layers.1.mlp.experts.6.gate_proj.weight"] == [8, 64])
    #expect(shapes["model.layers.1.mlp.shared_expert.gate_proj.weight"] == [56, 64])
    #expect(shapes["model.layers.1.mlp.shared_expert.down_proj.weight"] == [64, 56])
    #expect(shapes["model.layers.0.mlp.gate_proj.weight"] == [112, 64])
    let model = try SpikingBrainLayout.describe(TinyModel.configuration("carved"))
    let experts = try #require(model.layers[1].feedForward.experts)
    #expect(experts.activeSize == 56 + 3 * 8 && experts.weighting == .one)
    #expect(
      model.layers[1].feedForward.text == "7 + 1 experts of 8 (shared 56), top 3, weights 1")
    let idle = 3 * 8 * 64 + 2 * 8 + 64
    #expect(model.activeParameterCount == model.parameterCount - 2 * 4 * idle)
  }

  @Test func `idle experts are not active`() throws {
    let model = try SpikingBrainLayout.describe(TinyModel.configuration("experts"))
    let expert = 3 * 40 * 64 + 2 * 40 + 64
    #expect(model.activeParameterCount == model.parameterCount - 2 * 3 * expert)
    #expect(model.parameterParts.reduce(0) { $0 + $1.count } == model.parameterCount)
  }

  @Test func `the published 76B model has the published size`() throws {
    let dense = FeedForward.dense
    let experts = FeedForward.experts(.init(routed: 16, shared: 1, chosen: 1, size: 18944))
    var model = try Qwen2.describe(
      TinyModel.configuration(
        "qwen2",
        [
          "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
          "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064,
        ]))
    model.sinkCount = 128
    model.layers = (0..<28).map { layer in
      LayerDescription(
        mixer: .parallel([6, 13, 20, 27].contains(layer) ? nil : .init(size: 4096)),
        feedForward: [0, 1, 2, 4, 6, 8, 10].contains(layer) ? dense : experts)
    }
    let parts = Dictionary(uniqueKeysWithValues: model.parameterParts.map { ($0.name, $0.count) })
    let matrices = ["feed-forward", "embeddings", "attention"].compactMap { parts[$0] }
    #expect(matrices.reduce(0, +) == 76_053_741_568)
    #expect(parts["routers"] == 21 * 16 * 3584)
    #expect(parts["sinks"] == 128 * 3584)
    #expect(parts["norms"] == 28 * (2 * 3584 + 2 * 3584) + 3584)
    #expect(parts["biases"] == 28 * (3584 + 2 * 512))
    #expect(parts["branch factors"] == 56)
    #expect((11_890_000_000..<11_900_000_000).contains(model.activeParameterCount))
  }
}
