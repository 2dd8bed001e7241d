public import Architectures
public import StepSettings

extension CalibrateSettings {
  /// The same `k` for every projection of `model`, and for its queries where theirs is measured; and
  /// what else these settings say.
  public func spiking(of model: ModelDescription, k: Double) -> SpikingSettings {
    model.spikingSettings(coding: self.coding, cache: self.cache, winners: self.winners) {
      $0.group == .rotatedQuery && self.queryK != .auto ? self.queryK.value : k
    }
  }

  /// The spiking of `model` with what these settings add when they keep every k of projections: nil
  /// when that is nothing.
  public func spiking(keepingThatOf model: ModelDescription) -> SpikingSettings? {
    guard self.winners != nil || self.cache != .float32 || self.queryK != .kept else { return nil }
    var spiking = model.spiking ?? model.spikingSettings { _ in nil }
    if let winners = self.winners { spiking.winners = winners }
    if self.cache != .float32 { spiking.cache = self.cache }
    if let queryK = self.queryK.value {
      for site in model.spikingSites where site.projection == .rotatedQuery {
        spiking.layers[site.layer].thresholds[.rotatedQuery] = queryK
      }
    }
    return spiking
  }
}
