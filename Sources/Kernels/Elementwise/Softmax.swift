import Foundation

/// Softmax and its normaliser over rows.
public enum Softmax {
  /// x[r] = exp(x[r] - max) / sum for each of `rows` rows of `count`, in place.
  public static func applyInPlace(_ x: UnsafeMutablePointer<Float>, rows: Int, count: Int) {
    referenceInPlace(x, rows: rows, count: count)
  }

  /// log(sum(exp(x))) of `count` elements, summed in float64; -infinity for none.
  public static func logSumExp(_ x: UnsafePointer<Float>, count: Int) -> Double {
    referenceLogSumExp(x, count: count)
  }

  /// The specification of `applyInPlace`, in float64.
  public static func referenceInPlace(_ x: UnsafeMutablePointer<Float>, rows: Int, count: Int) {
    for r in 0..<rows {
      let row = x + r * count
      let normaliser = referenceLogSumExp(row, count: count)
      for i in 0..<count { row[i] = Float(exp(Double(row[i]) - normaliser)) }
    }
  }

  /// The specification of `logSumExp`.
  public static func referenceLogSumExp(_ x: UnsafePointer<Float>, count: Int) -> Double {
    var largest = -Double.infinity
    for i in 0..<count { largest = max(largest, Double(x[i])) }
    guard largest > -.infinity else { return largest }
    var sum = 0.0
    for i in 0..<count { sum += exp(Double(x[i]) - largest) }
    return largest + log(sum)
  }
}
