package import Architectures
package import Kernels
package import Runtime

/// Counts the spikes of a running model, rotated queries and decay gates apart.
///
/// Not synchronised: a model shows one input after the other.
package final class SpikeCounter: SpikingObserver, @unchecked Sendable {
  /// The counts of all places together.
  package private(set) var statistics = SpikeStatistics()
  private let spiking: SpikingSettings

  /// A counter for a model spiked by `spiking`.
  package init(_ spiking: SpikingSettings) { self.spiking = spiking }

  package func observe(_ input: FloatMatrix, at site: SpikingSite, readBy map: LinearMap?) {
    // Projections that read the same activations count once.
    guard let k = spiking[site], let group = SpikeGroup(site.projection),
      group != .rotatedQuery, site.projection == group.projections.first
    else { return }
    _ = statistics.add(
      input, k: k, winners: spiking.winners(before: site.projection, of: input.columns))
  }
}

extension SpikeStatistics {
  /// Counts the rows of `input`, or of each row the runs of `columns` activations, at `k`, whose
  /// thresholds are of `winners` channels; returns how many activations have no count.
  package mutating func add(
    _ input: FloatMatrix, columns: Int? = nil, k: Double, winners: Int?
  ) -> Int {
    let spikes = SpikeMatrix(input, columns: columns, k: Float(k), winners: winners)
    spikes.counts.withUnsafeBufferPointer { add($0, rows: spikes.thresholds.count) }
    return spikes.outside
  }
}
