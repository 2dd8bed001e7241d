public import Architectures
import Foundation

/// What was measured of one group: all its rows at the chosen k, and some of them at several.
public struct GroupMeasurement: Sendable {
  /// How many thresholds' logarithms fall into each bin, see `meanBin`.
  public internal(set) var means = [Int](repeating: 0, count: GroupMeasurement.meanBins)
  /// Counts at the chosen k.
  public internal(set) var statistics = SpikeStatistics()
  /// The k of `statistics`; nil when the group is not spiked.
  public internal(set) var k: Double?
  /// The trials at several k.
  public internal(set) var trials: [Trial] = []
  /// Activations that are no numbers or have no count.
  public internal(set) var unusable = 0
  /// Rows seen.
  public internal(set) var rows = 0

  /// What some rows gave at one k.
  public struct Trial: Sendable {
    /// The k.
    public var k: Double
    /// The counts.
    public var statistics = SpikeStatistics()
    /// Mean over rows of |W(s·V_th) - W x|² / |W x|², by projection; of queries |s·V_th - x|² / |x|².
    public var errors: [SpikingSettings.Projection: RowMean] = [:]

    /// The mean over projections; nil without one.
    public var error: Double? {
      errors.isEmpty ? nil : errors.values.reduce(0) { $0 + $1.mean } / Double(errors.count)
    }
  }

  /// A mean over rows.
  public struct RowMean: Sendable {
    var sum = 0.0
    var rows = 0

    /// The mean; 0 without rows.
    public var mean: Double { rows == 0 ? 0 : sum / Double(rows) }
  }

  /// Bins of mean|x|: a quarter of an octave each, the first from 2^-24 on.
  public static let meanBins = 160

  /// The lower end of bin `index`.
  public static func meanBinStart(_ index: Int) -> Double {
    exp2(Double(index) / 4 - 24)
  }

  /// The root mean square over rows of the relative error of `projection`'s output at the trial
  /// nearest to the chosen k; nil when there was none.
  public func relativeError(_ projection: SpikingSettings.Projection) -> Double? {
    guard let k else { return nil }
    let nearest = trials.min { abs($0.k - k) < abs($1.k - k) }
    return nearest?.errors[projection]?.mean.squareRoot()
  }
}
