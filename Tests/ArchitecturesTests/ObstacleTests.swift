import Architectures
import StrictJSON
import TestSupport
import Testing

/// What the public 7B layout cannot hold.
struct ObstacleTests {
  private func obstacles(
    _ model: TinyModel, _ change: (inout ModelDescription) -> Void = { _ in }
  ) throws -> [String] {
    let configuration = try model.configuration()
    var description = try Architectures.of(configuration).describe(configuration)
    description.tiesEmbeddings = false
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

  @Test func `our own layout has none at all`() throws {
    for model in TinyModel.allCases {
      let configuration = try model.configuration()
      let description = try Architectures.of(configuration).describe(configuration)
      #expect(SpikingBrainLayout.obstacles(to: description) == [])
    }
  }
}
