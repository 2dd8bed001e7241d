import Architectures
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// The `spiking` object of our own layout.
struct SpikingSettingsTests {
  private func described(_ name: String, _ spiking: JSONValue) throws -> ModelDescription {
    let configuration = try TinyModel.configuration(name, ["spiking": spiking])
    return try SpikingBrainLayout.describe(configuration)
  }

  private func again(_ model: ModelDescription) throws -> ModelDescription {
    let text = JSONValue.object(SpikingBrainLayout.configuration(of: model)).pretty
    let object = try #require(try JSONParser.parse(Array(text.utf8)).object)
    return try SpikingBrainLayout.describe(Configuration(object, file: "config.json"))
  }

  /// A k of its own at every place.
  private func distinct(_ model: ModelDescription) -> SpikingSettings {
    var settings = SpikingSettings(
      coding: .ternary, cache: .int8, winners: 0.02,
      layers: model.layers.map { layer in
        SpikingSettings.Layer(
          experts: layer.feedForward.experts.map { Array(repeating: .init(), count: $0.routed) }
            ?? [], sharedExpert: layer.feedForward.experts.map { _ in .init() })
      })
    for (index, site) in model.spikingSites.enumerated() {
      let k = 1 + Double(index) / 16
      switch site.expert {
      case nil: settings.layers[site.layer].thresholds[site.projection] = k
      case .shared: settings.layers[site.layer].sharedExpert?[site.projection] = k
      case .routed(let expert): settings.layers[site.layer].experts[expert]?[site.projection] = k
      }
    }
    return settings
  }

  @Test(arguments: ["spikingbrain", "experts", "intra-layer"])
  func `every k round-trips`(_ name: String) throws {
    var model = try SpikingBrainLayout.describe(TinyModel.configuration(name))
    #expect(model.spiking == nil)
    let settings = distinct(model)
    model.spiking = settings
    for (index, site) in model.spikingSites.enumerated() {
      #expect(settings[site] == 1 + Double(index) / 16, "\(site.name)")
    }
    #expect(try again(model).spiking == settings)
  }

  @Test func `what is not named is not spiked, and experts use their layer's`() throws {
    var model = try SpikingBrainLayout.describe(TinyModel.configuration("experts"))
    let layer = try #require(model.layers.firstIndex { $0.feedForward != .dense })
    var settings = SpikingSettings(layers: model.layers.map { _ in .init() })
    settings.layers[layer].thresholds[.ffnDown] = 2
    model.spiking = settings
    let read = try #require(try again(model).spiking)
    #expect(read == settings)
    #expect(read[SpikingSite(layer: layer, .ffnDown, expert: .routed(1))] == 2)
    #expect(read[SpikingSite(layer: layer, .ffnGate, expert: .routed(1))] == nil)
    #expect(read[SpikingSite(layer: layer, .query)] == nil)
  }

  private static let empty: JSONValue = [:]

  @Test(
    arguments: [
      ([:], "one entry for each of the 4 layers"),
      (["layers": [[:], [:], [:]]], "one entry for each of the 4 layers"),
      (["layers": [[:], [:], [:], 3]], "must be an object, not 3"),
      (["layers": [["q_proj": "3"], [:], [:], [:]]], "must be a number or null"),
      (["layers": [["q_proj": 0], [:], [:], [:]]], "is 0, expected 1/1024 to 1024"),
      (["layers": [["q_proj": -3], [:], [:], [:]]], "is -3"),
      (["layers": [["q_proj": 1e9], [:], [:], [:]]], "expected 1/1024 to 1024"),
      (["layers": [["q_prj": 3], [:], [:], [:]]], "q_prj is not supported"),
      (["layers": [["rotated_query": 3], [:], [:], [:]]], "rotated_query is not supported"),
      (["layers": [[:], ["gk_proj": 3], [:], [:]]], "gk_proj is not supported"),
      (["layers": [["experts": []], [:], [:], [:]]], "experts is not supported"),
      (["layers": [[:], [:], [:], [:]], "coding": "morse"], "known: bitwise, ternary"),
      (["layers": [[:], [:], [:], [:]], "kv_cache": "int4"], "known: float32, int8"),
      (["layers": [[:], [:], [:], [:]], "k": 3], "known keys: coding, kv_cache, winners"),
      (
        ["layers": [[:], [:], [:], [:]], "winners": 0], "is 0, expected above 0, at most 1"
      ),
      (["layers": [[:], [:], [:], [:]], "winners": 1.01], "is 1.01"),
      (["layers": [[:], [:], [:], [:]], "winners": "few"], "winners"),
      (3, "must be an object"),
    ] as [(JSONValue, String)])
  func `bad settings are refused`(_ spiking: JSONValue, _ words: String) throws {
    do {
      _ = try described("spikingbrain", spiking)
      Issue.record("\(spiking.compact) was accepted")
    } catch let error as ConfigurationError {
      #expect(error.what.contains(words), "\(error.what)")
    }
  }

  @Test func `a fraction of the channels wins, at least one`() {
    var settings = SpikingSettings(layers: [])
    #expect(settings.winners(before: .ffnDown, of: 100) == nil)
    settings.winners = 0.02
    #expect(
      [1, 25, 75, 125, 1536].map { settings.winners(before: .ffnDown, of: $0) }
        == [1, 1, 2, 2, 31])
    #expect(settings.winners(before: .ffnUp, of: 100) == nil)
    settings.winners = 1
    #expect(settings.winners(before: .ffnDown, of: 7) == 7)
  }

  @Test func `the public layout cannot hold them`() throws {
    var model = try GLASwa.describe(TinyModel.configuration("gla_swa"))
    #expect(GLASwa.obstacles(to: model).isEmpty)
    model.spiking = SpikingSettings(layers: model.layers.map { _ in .init() })
    #expect(GLASwa.obstacles(to: model) == ["spiking thresholds"])
  }
}
