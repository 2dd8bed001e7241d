import Kernels
import Mixers
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Architectures

/// What follows from a mixer's form, for every kind that configurations can name.
struct MixerLayoutTests {
  /// A model in our own layout, all of whose layers have the mixer `kind`.
  private func model(_ kind: String) throws -> ModelDescription {
    let configuration = try TinyModel.configuration("intra-layer")
    let layers = configuration.object["num_hidden_layers"]?.int ?? 0
    var object = configuration.object
    object["mixer"] = .array([JSONValue](repeating: .string(kind), count: layers))
    object["ffn"] = .array([JSONValue](repeating: "dense", count: layers))
    return try SpikingBrainLayout.describe(Configuration(object, file: "config.json"))
  }

  @Test(arguments: Mixer.kinds)
  func `our layout holds it, and names all of it`(_ kind: String) throws {
    let model = try model(kind)
    #expect(model.layers.allSatisfy { $0.mixer.kind == kind })
    #expect(SpikingBrainLayout.obstacles(to: model) == [])
    for requirement in model.requirements {
      let name = SpikingBrainLayout.names.name(of: requirement.address)
      #expect(name != nil, "\(requirement.address)")
    }
    let parts = model.parameterParts
    #expect(parts.reduce(0) { $0 + $1.count } == model.parameterCount)
  }

  @Test(arguments: Mixer.kinds)
  func `Megatron has a parameter for each of its tensors`(_ kind: String) throws {
    let model = try model(kind)
    let places = try MegatronMapping(model, topology: MegatronTopology()).places
    for requirement in model.requirements {
      let isThere = places[requirement.address] != nil
      #expect(isThere, "\(requirement.address)")
    }
  }

  @Test(arguments: Mixer.kinds)
  func `a map whose input may be spiked is a site of that name`(_ kind: String) throws {
    let model = try model(kind)
    let sites = model.spikingSites(ofLayer: 0).map(\.projection)
    for tensor in model.mixerTensors(ofLayer: 0) {
      guard let key = tensor.spikingKey else { continue }
      let projection = try #require(SpikingSettings.Projection(tensor), "\(key)")
      #expect(sites.contains(projection))
    }
  }

  /// A mixer with a tensor that no table of names has.
  private struct Nameless: MixerForm {
    struct NoLayer: Error {}

    static let kinds = ["nameless"]
    static let names: [MixerTensor.Name] = []

    static func mixer<Failure>(
      kind: String, from parameters: some MixerParameters<Failure>
    ) throws(Failure) -> Mixer { Mixer(Nameless()) }

    let kind = "nameless", key = "nameless", description = "nameless layers"
    let hasCache = true, hasMemory = false

    func tensors(in model: MixerModel) -> [MixerTensor] {
      [.init(.branchScale, .bias, shape: [2], initial: .constant(1), part: "wonders")]
    }

    func layer(
      in model: MixerModel, from tensors: some MixerTensors
    ) throws -> any MixerLayer { throw NoLayer() }
  }

  @Test func `a tensor without a name is refused, not left out`() throws {
    var model = try model("full")
    model.layers[1].mixer = Mixer(Nameless())
    #expect(throws: MegatronTopologyError.noName(TensorAddress(.branchScale, .bias, layer: 1))) {
      try MegatronMapping(model, topology: MegatronTopology())
    }
  }

  @Test func `a mixer's own part is counted by its name`() throws {
    let model = try model("gla")
    let width = model.mixing.layout.keyWidth, rank = GatedLinear.usualRank
    let gates = model.layers.count * rank * (model.hiddenSize + width)
    let part = model.parameterParts.first { $0.name == "decay gates" }
    #expect(part?.count == gates)
  }
}
