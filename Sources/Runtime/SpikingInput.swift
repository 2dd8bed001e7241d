package import Architectures
import Kernels
package import TensorTypes

/// What happens to the activations at one place before they are used: they become s · V_th, and
/// whoever measures is shown them.
package struct SpikingInput: Sendable {
  let site: SpikingSite
  /// Spikes of a channel as large as the mean; nil leaves the activations as they are.
  let k: Float?
  let observer: (any SpikingObserver)?

  /// What `model` says about `site`; nil when nothing happens there.
  init?(at site: SpikingSite, of model: ModelDescription, observer: (any SpikingObserver)?) {
    self.site = site
    self.observer = observer
    k = model.spiking?[site].map(Float.init)
    if k == nil, observer == nil { return nil }
  }

  /// The spiked rows of `input`, which `map` reads; nil when they stay as they are.
  func callAsFunction(_ input: FloatMatrix, for map: LinearMap) -> FloatMatrix? {
    observer?.observe(input, at: site, readBy: map)
    return k.map { input.spiked(k: $0) }
  }

  /// The rows of `input`, each of its `heads` parts spiked by itself; nil when they stay.
  func callAsFunction(_ input: FloatMatrix, heads: Int) -> FloatMatrix? {
    observer?.observe(input, at: site, readBy: nil)
    return k.map { input.spiked(k: $0, heads: heads) }
  }
}

extension SpikingInput {
  /// The spike counts of `input` and their thresholds, which `map` multiplies as integers; nil when
  /// nothing is spiked, or when an activation has no count: then floats show the fault.
  func counts(of input: FloatMatrix, for map: LinearMap) -> SpikeMatrix? {
    guard let k, let spikes = SpikeMatrix(input, k: k) else { return nil }
    observer?.observe(input, at: site, readBy: map)
    return spikes
  }
}

/// Spike counts of some tokens.
package struct SpikeMatrix {
  /// s [T, channels].
  package let counts: [Int32]
  /// V_th [T].
  package let thresholds: [Float]

  /// The counts of every row of `input`; nil when an activation has none.
  package init?(_ input: FloatMatrix, k: Float) {
    var thresholds = [Float](repeating: 0, count: input.rows)
    var outside = 0
    counts = [Int32](unsafeUninitializedCapacity: input.count) { counts, initialized in
      initialized = input.count
      guard let counts = counts.baseAddress else { return }
      withExtendedLifetime(input) {
        outside = SpikeCounts.apply(
          input.pointer, rows: input.rows, columns: input.columns, k: k, into: counts,
          thresholds: &thresholds)
      }
    }
    self.thresholds = thresholds
    if outside > 0 { return nil }
  }
}

/// Shown what the projections of a running model read.
package protocol SpikingObserver: Sendable {
  /// Called before `map` reads `input` [T, channels]; without a map for rotated queries.
  func observe(_ input: FloatMatrix, at site: SpikingSite, readBy map: LinearMap?)
}

extension FloatMatrix {
  /// s · V_th in the place of every row, or of each of its `heads` parts.
  package func spiked(k: Float, heads: Int = 1) -> FloatMatrix {
    let output = FloatMatrix(rows: rows, columns: columns)
    withExtendedLifetime((self, output)) {
      SpikeCounts.values(
        pointer, rows: rows * heads, columns: columns / heads, k: k, into: output.pointer)
    }
    return output
  }
}

extension SpikingSettings.Projection {
  /// The projection whose weight has `role`; nil for what is never spiked, the router and the
  /// second matrix of a decay gate among them.
  package init?(_ role: TensorAddress.Role) {
    switch role {
    case .query: self = .query
    case .key: self = .key
    case .value: self = .value
    case .output: self = .output
    case .gateLow, .gateMerged: self = .decayGate
    case .ffnGate: self = .ffnGate
    case .ffnUp: self = .ffnUp
    case .ffnDown: self = .ffnDown
    default: return nil
    }
  }
}
