import CKernels

/// The adaptive-threshold neuron (SpikingBrain report, section 3.3): a row x of activations becomes
/// integer spike counts s = round(x / V_th) with the threshold V_th = mean|x| / k of that row.
///
/// Rounding is half to even. Counts are never clamped: massive activations give hundreds or
/// thousands. The mean is taken in double and rounded to float32 once, so it does not depend on the
/// order of summation.
public enum SpikeCounts {
  /// The thresholds that the public code allows; others are clamped.
  public static let thresholds: ClosedRange<Float> = 1e-5...1e4

  /// V_th of one row of `count` activations; NaN when one of them is.
  ///
  /// - Parameters:
  ///   - k: spikes of a channel as large as the mean.
  ///   - winners: how many of the activations the mean is over, the others being 0; nil for all.
  static func threshold(
    _ x: UnsafePointer<Float>, count: Int, k: Float, winners: Int? = nil
  ) -> Float {
    threshold(x, count: count, k: k, winners: winners, isa: Execution.isa)
  }

  /// The same for loops over rows.
  private static func threshold(
    _ x: UnsafePointer<Float>, count: Int, k: Float, winners: Int?, isa: Int32
  ) -> Float {
    clamped(mean(x, count: count, winners: winners, isa: isa) / k)
  }

  /// mean|x| of `count` activations, or of the `winners` among them that are not 0.
  static func mean(_ x: UnsafePointer<Float>, count: Int, winners: Int? = nil) -> Float {
    mean(x, count: count, winners: winners, isa: Execution.isa)
  }

  private static func mean(
    _ x: UnsafePointer<Float>, count: Int, winners: Int?, isa: Int32
  ) -> Float {
    Float(ck_sum_magnitude(isa, x, count) / Double(max(winners ?? count, 1)))
  }

  /// The counts of every row.
  ///
  /// - Parameters:
  ///   - x: [rows, columns].
  ///   - counts: s [rows, columns].
  ///   - thresholds: V_th [rows].
  ///   - winners: see `threshold`.
  /// - Returns: How many activations have no count: infinities, and quotients beyond Int32, give
  ///   the largest or smallest Int32; NaN gives the smallest.
  @discardableResult
  static func apply(
    _ x: UnsafePointer<Float>, rows: Int, columns: Int, k: Float, winners: Int? = nil,
    into counts: UnsafeMutablePointer<Int32>, thresholds: UnsafeMutablePointer<Float>
  ) -> Int {
    let isa = Execution.isa
    var outside = 0
    for row in 0..<rows {
      let start = row * columns
      thresholds[row] = threshold(x + start, count: columns, k: k, winners: winners, isa: isa)
      outside += ck_spike_counts(isa, x + start, thresholds[row], counts + start, columns)
    }
    return outside
  }

  /// What a linear layer sees in place of x: s · V_th, row by row, in place or elsewhere.
  ///
  /// NaN and infinities stay what they are, so that a fault is not hidden.
  static func values(
    _ x: UnsafePointer<Float>, rows: Int, columns: Int, k: Float, winners: Int? = nil,
    into output: UnsafeMutablePointer<Float>
  ) {
    // A row takes less than a microsecond: only many are worth handing out.
    let isa = Execution.isa
    Parallel.ranges(rows, minimum: max(1, 65_536 / max(columns, 1))) { rows in
      for row in rows {
        let start = row * columns
        ck_spike_values(
          isa, x + start,
          threshold(x + start, count: columns, k: k, winners: winners, isa: isa), output + start,
          columns)
      }
    }
  }

  static func clamped(_ threshold: Float) -> Float {
    if threshold.isNaN { return threshold }
    return min(max(threshold, thresholds.lowerBound), thresholds.upperBound)
  }
}
