import TensorTypes
import TestSupport
import Testing

@testable import Architectures

/// How Megatron holds a model: every tensor once, every part once, and what does not fit refused.
struct MegatronMappingTests {
  static let names = [
    "qwen2", "qwen2-tied", "qwen3", "llama", "llama-bias", "gla_swa", "w8aspike", "experts",
    "intra-layer",
  ]

  private func model(_ name: String) throws -> ModelDescription {
    let configuration = try TinyModel.configuration(name)
    return try Architectures.of(configuration).describe(configuration)
  }

  private func topologies(_ model: ModelDescription) -> [MegatronTopology] {
    [1, 2].flatMap { tensor in
      [1, 2, 4].flatMap { pipeline in
        [1, 2, 4].map { MegatronTopology(tensor: tensor, pipeline: pipeline, expert: $0) }
      }
    }.filter { topology in
      do throws(MegatronTopologyError) { try topology.check(model) } catch { return false }
      return true
    }
  }

  @Test(arguments: names)
  func `every row of every tensor has one place`(_ name: String) throws {
    let model = try model(name)
    for topology in topologies(model) {
      let mapping = try MegatronMapping(model, topology: topology)
      let places = mapping.places
      #expect(Set(places.keys) == Set(model.requirements.map(\.address)))
      for requirement in model.requirements {
        var end = 0
        for place in try #require(places[requirement.address]) {
          #expect(place.rows.lowerBound == end)
          end = place.rows.upperBound
          let parameter = mapping.parameters[place.parameter]
          #expect(place.start + place.rows.count <= parameter.rowCount)
          let columns = requirement.shape.dimensions.dropFirst().reduce(1, *)
          #expect(parameter.columnCount == columns, "\(requirement.address)")
        }
        #expect(end == requirement.shape.dimensions[0], "\(requirement.address)")
      }
      for parameter in mapping.parameters {
        #expect(parameter.pieces.reduce(0) { $0 + $1.count } == parameter.rowCount)
      }
    }
  }

  @Test(arguments: names)
  func `tensor ranks share a parameter without gap or overlap`(_ name: String) throws {
    let model = try model(name)
    for topology in topologies(model) {
      for parameter in try MegatronMapping(model, topology: topology).parameters {
        var covered: [Int: Int] = [:]
        let ranks = parameter.split == .replicated ? 1 : topology.tensor
        for rank in 0..<ranks {
          let shape = parameter.shape(rank: rank, of: topology.tensor)
          let regions = parameter.regions(rank: rank, of: topology.tensor)
          let elements = regions.reduce(0) { $0 + $1.rows.count * $1.columns.count }
          #expect(shape.elementCount == elements)
          for region in regions {
            for row in region.rows { covered[row, default: 0] += region.columns.count }
          }
        }
        #expect(covered.count == parameter.rowCount)
        #expect(covered.values.allSatisfy { $0 == parameter.columnCount })
      }
    }
  }

  @Test(arguments: names)
  func `every rank's keys are different, every parameter is on its ranks`(_ name: String) throws {
    let model = try model(name)
    for topology in topologies(model) {
      let mapping = try MegatronMapping(model, topology: topology)
      var holders: [Int: Int] = [:]
      for rank in topology.ranks {
        let parts = mapping.parts(of: rank)
        #expect(Set(parts.map(\.key)).count == parts.count)
        for part in parts { holders[part.index, default: 0] += 1 }
      }
      for (index, parameter) in mapping.parameters.enumerated() {
        let copies = parameter.expert == nil ? topology.expert : 1
        #expect(holders[index] == copies * topology.tensor, "\(parameter.name)")
      }
      #expect(Set(topology.ranks.map(topology.directoryName)).count == topology.ranks.count)
    }
  }

  @Test func `keys of the legacy and of the distributed format`() throws {
    let mapping = try MegatronMapping(
      model("experts"), topology: MegatronTopology(pipeline: 2, expert: 5))
    let last = mapping.parts(of: .init(pipeline: 1, expert: 3))
    let keys = last.map(\.key)
    for key in [
      "decoder.layers.0.self_attention.linear_qkv.layer_norm_weight",
      "decoder.layers.0.mlp.experts.linear_fc1.weight0", "decoder.layers.0.mlp.router.weight",
      "decoder.layers.0.mlp.experts.linear_fc2.bias0", "decoder.layers.0.pre_mlp_layernorm.weight",
      "decoder.layers.0.mlp.shared_experts.linear_fc1.weight",
      "decoder.layers.1.mlp.linear_fc1.layer_norm_weight", "decoder.layers.1.mlp.linear_fc2.weight",
      "decoder.final_layernorm.weight", "output_layer.weight",
    ] {
      #expect(keys.contains(key), "\(key)")
    }
    #expect(!keys.contains("embedding.word_embeddings.weight"))
    let expert = try #require(last.first { $0.key.hasSuffix("experts.linear_fc1.weight0") })
    #expect(expert.parameter.expert == 3)
    #expect(
      expert.parameter.distributedKey(stacked: false)
        == "decoder.layers.2.mlp.experts.experts.linear_fc1.weight")
    #expect(
      expert.parameter.legacyKeys(layer: 0, expert: 0)[1]
        == "decoder.layers.0.mlp.experts.local_experts.0.linear_fc1.weight")
    #expect(!mapping.isHomogeneous)
    let dense = try MegatronMapping(model("qwen2"), topology: MegatronTopology())
    #expect(dense.isHomogeneous)
    #expect(
      dense.parameters[1].distributedKey(stacked: true)
        == "decoder.layers.self_attention.linear_qkv.layer_norm_weight")
    #expect(
      mapping.extraStateKeys(of: .init(pipeline: 1)).filter { $0.contains("layers.0.mlp") } == [
        "decoder.layers.0.mlp.experts.linear_fc1._extra_state",
        "decoder.layers.0.mlp.experts.linear_fc2._extra_state",
        "decoder.layers.0.mlp.shared_experts.linear_fc1._extra_state",
        "decoder.layers.0.mlp.shared_experts.linear_fc2._extra_state",
      ])
  }

  @Test func `directories name only what is cut`() {
    let rank = MegatronTopology.Rank(tensor: 1, pipeline: 2, expert: 3)
    #expect(MegatronTopology(tensor: 2).directoryName(of: rank) == "mp_rank_01")
    #expect(MegatronTopology(pipeline: 4).directoryName(of: rank) == "mp_rank_01_002")
    #expect(MegatronTopology(expert: 4).directoryName(of: rank) == "mp_rank_01_003")
    #expect(
      MegatronTopology(pipeline: 4, expert: 4).directoryName(of: rank) == "mp_rank_01_002_003")
  }

  @Test func `vocabularies are padded to 128 rows a rank`() {
    for (size, tensor, padded) in [
      (152_064, 4, 152_064), (152_064, 8, 152_576), (151_936, 1, 151_936), (151_936, 2, 152_064),
      (128_256, 4, 128_512), (10, 1, 128),
    ] {
      #expect(MegatronTopology(tensor: tensor).paddedVocabulary(size) == padded)
    }
  }

  @Test func `a tied head is stored on the last of several stages only`() throws {
    let tied = try model("qwen2-tied")
    let one = try MegatronMapping(tied, topology: MegatronTopology())
    #expect(!one.parameters.contains { $0.name == "output_layer.weight" })
    let three = try MegatronMapping(tied, topology: MegatronTopology(pipeline: 3))
    let head = try #require(three.parameters.last)
    #expect(head.name == "output_layer.weight" && head.isCopy && three.stage(of: head) == 2)
  }

  @Test func `SmolLM2 takes 1 or 3 tensor ranks and stages that divide 30`() throws {
    var model = try model("llama")
    (model.heads, model.keyValueHeads, model.headDim) = (9, 3, 64)
    (model.hiddenSize, model.feedForwardSize) = (576, 1536)
    model.layers = Array(repeating: model.layers[0], count: 30)
    for tensor in 1...9 {
      let topology = MegatronTopology(tensor: tensor)
      if [1, 3].contains(tensor) {
        try topology.check(model)
      } else {
        #expect(throws: MegatronTopologyError.keyValueHeads(3, ranks: tensor)) {
          try topology.check(model)
        }
      }
    }
    for pipeline in 1...31 {
      let topology = MegatronTopology(pipeline: pipeline)
      if 30 % pipeline == 0 {
        try topology.check(model)
      } else {
        #expect(throws: MegatronTopologyError.layers(30, ranks: pipeline)) {
          try topology.check(model)
        }
      }
    }
  }

  @Test func `every rule has its error`() throws {
    let dense = try model("qwen2")
    #expect(throws: MegatronTopologyError.noExperts(ranks: 2)) {
      try MegatronTopology(expert: 2).check(dense)
    }
    var odd = dense
    odd.feedForwardSize = 111
    #expect(throws: MegatronTopologyError.feedForward(111, ranks: 2)) {
      try MegatronTopology(tensor: 2).check(odd)
    }
    odd = dense
    odd.heads = 3
    odd.keyValueHeads = 2
    #expect(throws: MegatronTopologyError.heads(3, ranks: 2)) {
      try MegatronTopology(tensor: 2).check(odd)
    }
    func experts(_ routed: Int, _ shared: Int, _ size: Int) -> ModelDescription {
      var model = dense
      for layer in model.layers.indices {
        model.layers[layer].feedForward = .experts(
          .init(routed: routed, shared: shared, chosen: 1, size: size))
      }
      return model
    }
    #expect(throws: MegatronTopologyError.expertWidth(41, ranks: 2)) {
      try MegatronTopology(tensor: 2).check(experts(4, 2, 41))
    }
    #expect(throws: MegatronTopologyError.experts(5, ranks: 2)) {
      try MegatronTopology(expert: 2).check(experts(5, 1, 40))
    }
    #expect(MegatronTopologyError.experts(6, ranks: 4).advice == "it is divided by 1, 2, 3, 6")
    #expect(MegatronTopologyError.noExperts(ranks: 2).what.contains("--ep 2"))
  }
}
