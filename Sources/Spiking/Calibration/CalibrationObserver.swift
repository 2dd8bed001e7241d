import Architectures
import Foundation
import Kernels
import Runtime
import TensorTypes

/// Collects what the projections of an unspiked model read, all but the winners being 0.
///
/// Not synchronised: a model shows one input after the other.
final class CalibrationObserver: SpikingObserver, @unchecked Sendable {
  /// What to do with the rows of a group.
  struct Task {
    /// The k whose counts are taken of every row; nil for none.
    var k: Double?
    /// The k that are tried on some rows.
    var trials: [Double]
    /// Which of the rows: every n-th.
    var every: Int
  }

  private(set) var measurements: [SpikeGroupSite: GroupMeasurement] = [:]
  private let task: (SpikeGroupSite) -> Task
  /// Rows that each place has seen, to take every n-th.
  private var seen: [SpikingSite: Int] = [:]
  /// Tokens of samples that another process reads.
  private var skipped = 0

  private let model: ModelDescription

  init(_ model: ModelDescription, task: @escaping (SpikeGroupSite) -> Task) {
    self.model = model
    self.task = task
  }

  /// Counts the tokens of a sample that another process reads: of every place that sees all tokens
  /// the same rows are taken as by a single process.
  func skip(_ tokens: Int) { skipped += tokens }

  func observe(_ input: FloatMatrix, at site: SpikingSite, readBy map: LinearMap?) {
    guard let group = SpikeGroupSite(site) else { return }
    let task = task(group)
    var measurement = measurements.removeValue(forKey: group) ?? GroupMeasurement()
    defer { measurements[group] = measurement }
    // The first projection of a group counts for all, which read the same.
    let isFirst = site.projection == group.group.projections.first
    // Rotated queries are spiked head by head; the map tells nothing of heads.
    let parts = parts(of: input, at: site)
    if isFirst {
      measurement.rows += input.rows
      measureMeans(parts, &measurement)
      if let k = task.k {
        measurement.k = k
        measurement.unusable += measurement.statistics.add(
          input, columns: parts.columns, k: k, winners: parts.winners)
      }
    }
    let rows = sampled(input.rows, at: site, every: task.every)
    guard !rows.isEmpty, !task.trials.isEmpty else { return }
    let some = input.gathered(rows)
    let reference = map?.plain(some) ?? some
    if measurement.trials.isEmpty { measurement.trials = task.trials.map { .init(k: $0) } }
    for (index, k) in task.trials.enumerated() {
      if isFirst {
        _ = measurement.trials[index].statistics.add(
          some, columns: parts.columns, k: k, winners: parts.winners)
      }
      let heads = input.columns / parts.columns
      let spiked = some.spiked(k: Float(k), heads: heads, winners: parts.winners)
      measurement.trials[index].errors[site.projection, default: .init()]
        .add(map?.plain(spiked) ?? spiked, against: reference)
    }
  }

  /// Activations whose thresholds are taken of `columns` at a time, rotated queries head by head.
  private struct Parts {
    let matrix: FloatMatrix
    let columns: Int
    /// How many of the columns the means are over; nil for all.
    let winners: Int?

    var count: Int { matrix.count / columns }
  }

  private func parts(of input: FloatMatrix, at site: SpikingSite) -> Parts {
    Parts(
      matrix: input, columns: site.projection == .rotatedQuery ? model.headDim : input.columns,
      winners: model.spiking?.winners(before: site.projection, of: input.columns))
  }

  private func measureMeans(_ parts: Parts, _ result: inout GroupMeasurement) {
    for part in 0..<parts.count {
      let mean = Double(
        parts.matrix.meanMagnitude(ofRun: part, columns: parts.columns, winners: parts.winners))
      let bin = mean > 0 && mean.isFinite ? Int(((log2(mean) + 24) * 4).rounded(.down)) : 0
      result.means[min(max(bin, 0), GroupMeasurement.meanBins - 1)] += 1
    }
  }

  /// The next rows of which every n-th is taken.
  private func sampled(_ count: Int, at site: SpikingSite, every: Int) -> [Int] {
    let read = seen[site, default: 0]
    seen[site] = read + count
    let before = read + (site.expert == nil ? skipped : 0)
    return (0..<count).filter { (before + $0) % every == 0 }
  }
}

extension LinearMap {
  /// W x without the bias, of which the input is not spiked.
  fileprivate func plain(_ input: FloatMatrix) -> FloatMatrix {
    let output = FloatMatrix(rows: input.rows, columns: weight.shape.rows)
    LinearMap(weight: weight, bias: nil).multiply(input, into: output)
    return output
  }
}

extension FloatMatrix {
  fileprivate func gathered(_ rows: [Int]) -> FloatMatrix {
    let some = FloatMatrix(rows: rows.count, columns: columns)
    for (index, row) in rows.enumerated() { some.copyRows(of: self.rows(row..<row + 1), to: index) }
    return some
  }
}

extension GroupMeasurement.RowMean {
  /// Adds |a - b|² / |b|² of every row; rows of zeros have no relative error.
  fileprivate mutating func add(_ output: FloatMatrix, against reference: FloatMatrix) {
    for row in 0..<reference.rows {
      var error = 0.0, power = 0.0
      for (a, b) in zip(output[row], reference[row]) {
        error += Double((a - b) * (a - b))
        power += Double(b * b)
      }
      guard power > 0, error.isFinite, power.isFinite else { continue }
      sum += error / power
      rows += 1
    }
    withExtendedLifetime((output, reference)) {}
  }
}
