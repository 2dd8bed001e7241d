import Foundation

/// A mean with its standard error.
public struct MeanEstimate: Sendable, Equatable {
  /// The mean.
  public let mean: Double
  /// Its standard error; NaN for fewer than two observations.
  public let standardError: Double

  /// The 95 % interval of a normal distribution.
  public var interval: (lower: Double, upper: Double) {
    (mean - 1.96 * standardError, mean + 1.96 * standardError)
  }

  /// The mean of independent values.
  public init(_ values: [Double]) {
    self.init(sums: values, counts: [Int](repeating: 1, count: values.count))
  }

  /// The mean per item of items that come in independent groups: their sums and sizes, not all 0.
  ///
  /// The error is that of a ratio of sums, so items may depend on each other within a group.
  public init(sums: [Double], counts: [Int]) {
    let total = Double(counts.reduce(0, +)), groups = Double(sums.count)
    let mean = sums.reduce(0, +) / total
    let squares = zip(sums, counts).reduce(0) { $0 + pow($1.0 - mean * Double($1.1), 2) }
    self.mean = mean
    standardError = groups > 1 ? (squares * groups / (groups - 1)).squareRoot() / total : .nan
  }
}
