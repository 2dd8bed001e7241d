package import Architectures
import Kernels
package import TensorTypes

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

  /// What `map` reads in the place of `input` [T, channels]: counts where its weight is in INT8,
  /// unless an activation has none, when floats show the fault.
  func callAsFunction(_ input: FloatMatrix, for map: LinearMap) -> Activations {
    let winners = settings?.winners(before: site.projection, of: input.columns)
    let kept = winners.map { input.winners($0) } ?? input
    observer?.observe(kept, at: site, readBy: map)
    guard let k else { return .floats(kept) }
    if map.int8 != nil, let counts = SpikeMatrix(kept, k: k, winners: winners) {
      return .counts(counts)
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

/// Spike counts of some tokens.
package struct SpikeMatrix {
  /// s [T, channels].
  package let counts: [Int32]
  /// V_th [T].
  package let thresholds: [Float]

  /// The counts of every row of `input`; nil when an activation has none.
  package init?(_ input: FloatMatrix, k: Float, winners: Int? = nil) {
    var thresholds = [Float](repeating: 0, count: input.rows)
    var outside = 0
    counts = [Int32](unsafeUninitializedCapacity: input.count) { counts, initialized in
      initialized = input.count
      guard let counts = counts.baseAddress else { return }
      withExtendedLifetime(input) {
        outside = SpikeCounts.apply(
          input.pointer, rows: input.rows, columns: input.columns, k: k, winners: winners,
          into: counts, thresholds: &thresholds)
      }
    }
    self.thresholds = thresholds
    if outside > 0 { return nil }
  }
}

/// Shown what the projections of a running model read.
package protocol SpikingObserver: Sendable {
  /// Called before `map` reads `input` [T, channels], in which all but the winners are 0; without a
  /// map for rotated queries.
  func observe(_ input: FloatMatrix, at site: SpikingSite, readBy map: LinearMap?)
}

extension FloatMatrix {
  /// s · V_th in the place of every row, or of each of its `heads` parts; see `SpikeCounts` for
  /// `winners`.
  package func spiked(k: Float, heads: Int = 1, winners: Int? = nil) -> FloatMatrix {
    let output = FloatMatrix(rows: rows, columns: columns)
    withExtendedLifetime((self, output)) {
      SpikeCounts.values(
        pointer, rows: rows * heads, columns: columns / heads, k: k, winners: winners,
        into: output.pointer)
    }
    return output
  }

  /// The `count` channels of every row with the largest magnitudes, and 0 for the others.
  package func winners(_ count: Int) -> FloatMatrix {
    let output = FloatMatrix(rows: rows, columns: columns)
    withExtendedLifetime((self, output)) {
      Winners.apply(pointer, rows: rows, columns: columns, count: count, into: output.pointer)
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
