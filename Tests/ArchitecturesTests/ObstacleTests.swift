import Mixers
import StrictJSON
import TestSupport
import Testing

@testable import Architectures

/// What the public 7B layout cannot hold.
struct ObstacleTests {
  private func obstacles(
    _ model: TinyModel, _ change: (inout ModelDescription) -> Void = { _ in }
  ) throws -> [String] {
    let configuration = try model.configuration()
    var description = try Architectures.of(configuration).describe(configuration)
    description.tiesEmbeddings = false
    // Which every conversion gives them.
    description.biases.queryKeyValue = true
    description.layers = description.layers.map { _ in
      LayerDescription(mixer: .gatedLinear(.lowRank(16)))
    }
    change(&description)
    return GLASwa.obstacles(to: description)
  }

  @Test(arguments: [TinyModel.qwen2, .qwen2Tied, .llama, .mistral])
  func `plain models have none`(_ model: TinyModel) throws {
    #expect(try obstacles(model) == [])
  }

  @Test func `Qwen3 has a head_dim of its own and q/k norms`() throws {
    #expect(
      try obstacles(.qwen3) == ["head_dim 24 is not hidden_size / heads (64 / 4)", "q/k norms"])
  }

  @Test func `rope scaling, of every kind, is one`() throws {
    #expect(try obstacles(.llama3) == ["rope scaling"])
    #expect(try obstacles(.llamaLinear) == ["rope scaling"])
    let divisors = [Float](repeating: 2, count: 8)
    #expect(
      try obstacles(.llama) { $0.rotary.scaling = .divisors(divisors) } == ["rope scaling"])
  }

  @Test func `biases beyond q, k and v are`() throws {
    #expect(try obstacles(.llamaBias) == ["o_proj biases", "MLP biases"])
  }

  @Test func `full-attention layers and tied embeddings are`() throws {
    #expect(
      try obstacles(.llama) { $0.layers[1].mixer = .full } == ["full-attention layers"])
    #expect(try obstacles(.llama) { $0.tiesEmbeddings = true } == ["tied embeddings"])
  }

  @Test func `a merged decay gate is, but not to W8ASpike`() throws {
    #expect(
      try obstacles(.llama) { $0.layers[1].mixer = .gatedLinear(.merged) }
        == ["merged decay gates"])
    let configuration = try TinyModel.configuration("gla_swa")
    let variant = W8ASpike.variant(of: try GLASwa.describe(configuration), k: 3)
    #expect(W8ASpike.obstacles(to: variant) == [])
    #expect(GLASwa.obstacles(to: variant) == ["merged decay gates", "spiking thresholds"])
  }

  @Test func `so are experts, branches and sinks`() throws {
    let experts = FeedForward.experts(.init(routed: 2, shared: 0, chosen: 1, size: 8))
    #expect(try obstacles(.llama) { $0.layers[1].feedForward = experts } == ["experts"])
    #expect(try obstacles(.llama) { $0.layers[1].mixer = .parallel(nil) } == ["parallel branches"])
    #expect(try obstacles(.llama) { $0.sinkCount = 1 } == ["sink tokens"])
  }

  @Test func `what decoders have that are not like Llama is`() throws {
    #expect(
      try obstacles(.llama) {
        $0.normPlacement = .both
        $0.normsAddOne = true
        $0.activation = .geluTanh
      } == ["norms behind each part", "norms with weight 1 + w", "activation gelu_tanh"])
    #expect(
      try obstacles(.llama) {
        $0.multipliers.embedding = 8
        $0.multipliers.residual = 0.5
        $0.multipliers.scores = 0.1
        $0.multipliers.logits = 0.25
        $0.softCaps.scores = 50
        $0.softCaps.logits = 30
      } == [
        "a factor of the embedding", "a factor of what layers add",
        "a factor of attention scores", "a factor of the logits",
        "soft caps of attention scores", "soft caps of logits",
      ])
    #expect(
      try obstacles(.llama) {
        $0.rotary.channels = 8
        $0.layers[0].rotary = .none
        $0.queryKeyNorm = .whole
      } == [
        "q/k norms over all channels", "partial rotary embeddings", "rotary embeddings by layer",
      ])
    #expect(
      try obstacles(.llama) { $0.biases.queryKeyValue = false }
        == ["q, k and v without biases"])
  }

  @Test func `layers that one key describes must be alike`() throws {
    func own(_ change: (inout ModelDescription) -> Void) throws -> [String] {
      let configuration = try TinyModel.llama.configuration()
      var model = try Llama.describe(configuration)
      change(&model)
      return SpikingBrainLayout.obstacles(to: model)
    }
    #expect(
      try own {
        $0.layers[0].mixer = .window(.init(size: 4))
        $0.layers[1].mixer = .window(.init(size: 5))
      } == ["windows of these sizes"])
    #expect(
      try own {
        for layer in 0..<2 {
          $0.layers[layer].feedForward = .experts(
            .init(routed: 2 + layer, shared: 0, chosen: 1, size: 8))
        }
      } == ["layers with different experts"])
    #expect(try own { $0.layers[0].mixer = .gatedLinear(.merged) } == [])
  }

  @Test func `every property of a description has a name`() throws {
    let model = try Llama.describe(try TinyModel.llama.configuration())
    let properties = Set(Mirror(reflecting: model).children.compactMap(\.label))
    #expect(
      Set(ModelDescription.fields.map(\.property)).union(ModelDescription.informational)
        == properties)
    // Properties with several rows, by theirs.
    for (value, named) in [
      (model.multipliers as Any, "multipliers"), (model.softCaps, "softCaps"),
      (model.biases, "biases"), (model.rotary, "rotary"), (model.layers[0], "layers"),
    ] {
      let rows = ModelDescription.fields.count { $0.property == named }
      #expect(Mirror(reflecting: value).children.count == rows, "\(named)")
    }
  }

  @Test func `our own layout has none at all`() throws {
    for model in TinyModel.allCases {
      let configuration = try model.configuration()
      let description = try Architectures.of(configuration).describe(configuration)
      #expect(SpikingBrainLayout.obstacles(to: description) == [])
    }
  }
}
