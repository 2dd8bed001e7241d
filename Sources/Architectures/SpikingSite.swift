public import Mixers
public import TensorTypes

/// One place of a model whose activations can be spiked.
public struct SpikingSite: Sendable, Hashable {
  /// The 0-based layer.
  public var layer: Int
  /// What reads the activations.
  public var projection: SpikingSettings.Projection
  /// The expert it belongs to; nil in dense layers and for attention.
  public var expert: TensorAddress.Expert?

  /// A place.
  public init(
    layer: Int, _ projection: SpikingSettings.Projection, expert: TensorAddress.Expert? = nil
  ) {
    self.layer = layer
    self.projection = projection
    self.expert = expert
  }

  /// `layers.3.experts.5.down_proj`.
  public var name: String {
    let owner =
      switch expert {
      case nil: ""
      case .shared: ".shared_expert"
      case .routed(let index): ".experts.\(index)"
      }
    return "layers.\(layer)\(owner).\(projection.rawValue)"
  }
}

extension SpikingSettings {
  /// The k at `site`; nil when the activations stay as they are.
  public subscript(site: SpikingSite) -> Double? {
    guard layers.indices.contains(site.layer) else { return nil }
    let layer = layers[site.layer]
    switch site.expert {
    case .routed(let index) where layer.experts.indices.contains(index):
      return (layer.experts[index] ?? layer.thresholds)[site.projection]
    case .shared: return (layer.sharedExpert ?? layer.thresholds)[site.projection]
    default: return layer.thresholds[site.projection]
    }
  }
}

extension ModelDescription {
  /// What can be spiked in layer `layer`, experts included.
  public func spikingSites(ofLayer layer: Int) -> [SpikingSite] {
    var sites = [SpikingSettings.Projection.query, .key, .value, .output].map {
      SpikingSite(layer: layer, $0)
    }
    if layers[layer].mixer.isSoftmax { sites.append(SpikingSite(layer: layer, .rotatedQuery)) }
    for projection in mixerTensors(ofLayer: layer).compactMap(SpikingSettings.Projection.init) {
      sites.append(SpikingSite(layer: layer, projection))
    }
    var owners: [TensorAddress.Expert?] = [nil]
    if let experts = layers[layer].feedForward.experts {
      owners = (0..<experts.routed).map { .routed($0) } + (experts.shared > 0 ? [.shared] : [])
    }
    for owner in owners {
      for projection in [SpikingSettings.Projection.ffnGate, .ffnUp, .ffnDown] {
        sites.append(SpikingSite(layer: layer, projection, expert: owner))
      }
    }
    return sites
  }

  /// What can be spiked in the whole model.
  public var spikingSites: [SpikingSite] { layers.indices.flatMap(spikingSites) }
}

extension SpikingSettings.Projection {
  /// The map of a mixer that `tensor` is the weight of; nil for what is never spiked, such as the second
  /// matrix of a decay gate.
  public init?(_ tensor: MixerTensor) {
    guard let key = tensor.spikingKey else { return nil }
    self.init(rawValue: key)
  }

  /// The projection whose weight has `role`; nil for what is never spiked, the router among them, and
  /// for what only a mixer has.
  public init?(_ role: TensorAddress.Role) {
    switch role {
    case .query: self = .query
    case .key: self = .key
    case .value: self = .value
    case .output: self = .output
    case .ffnGate: self = .ffnGate
    case .ffnUp: self = .ffnUp
    case .ffnDown: self = .ffnDown
    default: return nil
    }
  }
}
