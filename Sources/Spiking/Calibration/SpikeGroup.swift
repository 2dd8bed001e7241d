public import Architectures
public import TensorTypes

/// Projections of a layer that read the same activations, and so share their spikes and one k.
public enum SpikeGroup: String, Sendable, CaseIterable {
  /// q, k and v.
  case attentionInput = "attention-input"
  /// o.
  case attentionOutput = "attention-output"
  /// Rotated queries of softmax attention.
  case rotatedQuery = "rotated-query"
  /// Feed-forward gate and up.
  case ffnInput = "ffn-input"
  /// Feed-forward down.
  case ffnHidden = "ffn-hidden"

  /// The group of `projection`; nil for decay gates, which stay as they are.
  public init?(_ projection: SpikingSettings.Projection) {
    switch projection {
    case .query, .key, .value: self = .attentionInput
    case .output: self = .attentionOutput
    case .rotatedQuery: self = .rotatedQuery
    case .ffnGate, .ffnUp: self = .ffnInput
    case .ffnDown: self = .ffnHidden
    case .decayGate: return nil
    }
  }

  /// The projections of the group.
  public var projections: [SpikingSettings.Projection] {
    SpikingSettings.Projection.allCases.filter { SpikeGroup($0) == self }
  }
}

/// A group in one layer, or in one expert of it.
public struct SpikeGroupSite: Sendable, Hashable {
  /// The 0-based layer.
  public var layer: Int
  /// The group.
  public var group: SpikeGroup
  /// The expert it belongs to; nil in dense layers and for attention.
  public var expert: TensorAddress.Expert?

  /// The group that `site` belongs to; nil for decay gates.
  public init?(_ site: SpikingSite) {
    guard let group = SpikeGroup(site.projection) else { return nil }
    layer = site.layer
    self.group = group
    expert = site.expert
  }

  /// The places of the group's projections.
  public var sites: [SpikingSite] {
    group.projections.map { SpikingSite(layer: layer, $0, expert: expert) }
  }
}

extension ModelDescription {
  /// The groups of the whole model, layer by layer.
  public var spikeGroups: [SpikeGroupSite] {
    var seen: Set<SpikeGroupSite> = []
    return spikingSites.compactMap(SpikeGroupSite.init).filter { seen.insert($0).inserted }
  }

  /// Settings with the k that `value` gives each group; nil leaves its activations as they are.
  public func spikingSettings(
    coding: SpikingSettings.Coding = .bitwise, cache: SpikingSettings.Cache = .float32,
    winners: Double? = nil, _ value: (SpikeGroupSite) -> Double?
  ) -> SpikingSettings {
    SpikingSettings(
      coding: coding, cache: cache, winners: winners,
      layers: layers.indices.map { layer in
        var settings = SpikingSettings.Layer()
        for site in spikingSites(ofLayer: layer) where site.expert == nil {
          settings.thresholds[site.projection] = SpikeGroupSite(site).flatMap(value)
        }
        guard let experts = self.layers[layer].feedForward.experts else { return settings }
        func thresholds(_ expert: TensorAddress.Expert) -> SpikingSettings.Thresholds {
          var own = SpikingSettings.Thresholds()
          for projection in [SpikingSettings.Projection.ffnGate, .ffnUp, .ffnDown] {
            let site = SpikingSite(layer: layer, projection, expert: expert)
            own[projection] = SpikeGroupSite(site).flatMap(value)
          }
          return own
        }
        settings.experts = (0..<experts.routed).map { thresholds(.routed($0)) }
        if experts.shared > 0 { settings.sharedExpert = thresholds(.shared) }
        return settings
      })
  }
}
