import CKernels
import Foundation

/// Softmax and its normaliser over rows.
public enum Softmax {
  /// x[r] = exp(x[r] - max) / sum for each of `rows` rows of `count`, in place.
  static func applyInPlace(_ x: UnsafeMutablePointer<Float>, rows: Int, count: Int) {
    let isa = Execution.isa
    Parallel.ranges(rows, minimum: 1 + 65536 / max(1, count)) { range in
      for r in range {
        let row = x + r * count
        let largest = ck_max(isa, row, count)
        let sum = ck_sum_exp(isa, row, largest, count)
        ck_exp_scaled(isa, row, largest, Float(1 / sum), count)
      }
    }
  }

  /// log(sum(exp(x))) of `count` elements, summed in float64; -infinity for none.
  static func logSumExp(_ x: UnsafePointer<Float>, count: Int) -> Double {
    let isa = Execution.isa
    let largest = ck_max(isa, x, count)
    guard largest > -.infinity else { return Double(largest) }
    return Double(largest) + log(ck_sum_exp(isa, x, largest, count))
  }

  /// The specification of `applyInPlace`, in float64.
  static func referenceInPlace(_ x: UnsafeMutablePointer<Float>, rows: Int, count: Int) {
    for r in 0..<rows {
      let row = x + r * count
      let normaliser = referenceLogSumExp(row, count: count)
      for i in 0..<count { row[i] = Float(exp(Double(row[i]) - normaliser)) }
    }
  }

  /// The specification of `logSumExp`.
  static func referenceLogSumExp(_ x: UnsafePointer<Float>, count: Int) -> Double {
    var largest = -Double.infinity
    for i in 0..<count { largest = max(largest, Double(x[i])) }
    guard largest > -.infinity else { return largest }
    var sum = 0.0
    for i in 0..<count { sum += exp(Double(x[i]) - largest) }
    return largest + log(sum)
  }
}
