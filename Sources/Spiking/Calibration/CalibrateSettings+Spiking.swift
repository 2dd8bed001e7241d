public import Architectures
public import Recipes

extension CalibrateSettings {
  /// The same `k` for every projection of `model`, and for its queries where theirs is measured; and
  /// what else these settings say.
  public func spiking(of model: ModelDescription, k: Double) -> SpikingSettings {
    model.spikingSettings(coding: coding, cache: cache, winners: winners) {
      $0.group == .rotatedQuery && queryK != .auto ? queryK.value : k
    }
  }

  /// The spiking of `model` with what these settings add when they keep every k of projections: nil
  /// when that is nothing.
  public func spiking(keepingThatOf model: ModelDescription) -> SpikingSettings? {
    guard winners != nil || cache != .float32 || queryK != .kept else { return nil }
    var spiking = model.spiking ?? model.spikingSettings { _ in nil }
    if let winners { spiking.winners = winners }
    if cache != .float32 { spiking.cache = cache }
    if let queryK = queryK.value {
      for site in model.spikingSites where site.projection == .rotatedQuery {
        spiking.layers[site.layer].thresholds[.rotatedQuery] = queryK
      }
    }
    return spiking
  }
}
