package import Architectures
package import Kernels

/// What happens to the activations at one place before they are used: all but the winners become 0,
/// the rest s · V_th, and whoever measures is shown them in between.
package struct SpikingInput: Sendable {
  let site: SpikingSite
  /// Spikes of a channel as large as the mean; nil leaves the activations as they are.
  let k: Float?
  /// The model's settings, which know the winners.
  private let settings: SpikingSettings?
  let observer: (any SpikingObserver)?

  /// What `model` says about `site`; nil when nothing happens there.
  init?(at site: SpikingSite, of model: ModelDescription, observer: (any SpikingObserver)?) {
    self.site = site
    self.observer = observer
    settings = model.spiking
    k = model.spiking?[site].map(Float.init)
    let selects = model.spiking?.winners(before: site.projection, of: 1) != nil
    if k == nil, observer == nil, !selects { return nil }
  }

  /// What `map` reads in the place of `input` [T, channels]: counts where its weight is of integers,
  /// unless an activation has none, when floats show the fault.
  func callAsFunction(_ input: FloatMatrix, for map: LinearMap) -> Activations {
    let winners = settings?.winners(before: site.projection, of: input.columns)
    let kept = winners.map { input.winners($0) } ?? input
    observer?.observe(kept, at: site, readBy: map)
    guard let k else { return .floats(kept) }
    if map.quantized != nil {
      let counts = SpikeMatrix(kept, k: k, winners: winners)
      if counts.outside == 0 { return .counts(counts) }
    }
    return .floats(kept.spiked(k: k, winners: winners))
  }

  /// The rows of `input`, each of its `heads` parts spiked by itself; nil when they stay.
  func callAsFunction(_ input: FloatMatrix, heads: Int) -> FloatMatrix? {
    observer?.observe(input, at: site, readBy: nil)
    return k.map { input.spiked(k: $0, heads: heads) }
  }
}

/// What a linear map multiplies its weight with.
enum Activations {
  case floats(FloatMatrix)
  case counts(SpikeMatrix)
}

/// Shown what the projections of a running model read.
package protocol SpikingObserver: Sendable {
  /// Called before `map` reads `input` [T, channels], in which all but the winners are 0; without a
  /// map for rotated queries.
  func observe(_ input: FloatMatrix, at site: SpikingSite, readBy map: LinearMap?)
}
