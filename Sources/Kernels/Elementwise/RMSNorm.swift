import CKernels

/// Root-mean-square normalisation.
public enum RMSNorm {
  /// output[r] = x[r] · weight / sqrt(mean(x[r]²) + epsilon) for each of `rows` rows of `count`.
  ///
  /// `output` may be `x`. For a norm per head, pass tokens · heads rows. `weightRows` > 1 cycles
  /// through that many weight rows [weightRows, count]: row r uses weight row r % weightRows.
  static func apply(
    _ x: UnsafePointer<Float>, rows: Int, count: Int, weight: UnsafePointer<Float>,
    weightRows: Int = 1, epsilon: Float, into output: UnsafeMutablePointer<Float>
  ) {
    let isa = Execution.isa
    Parallel.ranges(rows, minimum: 1 + 65536 / max(1, count)) { range in
      for r in range {
        ck_rms_norm(
          isa, x + r * count, weight + r % weightRows * count, epsilon, output + r * count, count)
      }
    }
  }

  /// The specification of `apply`, in float64.
  static func reference(
    _ x: UnsafePointer<Float>, rows: Int, count: Int, weight: UnsafePointer<Float>,
    weightRows: Int = 1, epsilon: Float, into output: UnsafeMutablePointer<Float>
  ) {
    for r in 0..<rows {
      let base = r * count, w = weight + r % weightRows * count
      var sum = 0.0
      for i in 0..<count { sum += Double(x[base + i]) * Double(x[base + i]) }
      let factor = 1 / (sum / Double(count) + Double(epsilon)).squareRoot()
      for i in 0..<count {
        output[base + i] = Float(Double(x[base + i]) * factor * Double(w[i]))
      }
    }
  }
}
