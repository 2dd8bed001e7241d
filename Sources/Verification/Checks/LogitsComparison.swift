import Architectures
import Kernels
import Runtime

/// Logits of two ways to compute the same thing.
struct LogitsComparison {
  /// Largest absolute difference relative to the largest absolute logit.
  private(set) var difference = 0.0
  /// The median over positions of the same ratio.
  private(set) var medianDifference = 0.0
  /// The root mean square of the differences relative to that of the logits.
  private(set) var rootMeanSquare = 0.0
  /// The position where they differ most.
  private(set) var position = 0

  /// Rows of logits held at a time.
  private static let rowsAtOnce = 16

  /// Compares logits [T, V] row by row without holding more than one block of each.
  init(
    _ left: (model: Model, hidden: FloatMatrix), _ right: (model: Model, hidden: FloatMatrix)
  ) throws {
    var largest = 0.0, worst = 0.0
    var squares = 0.0, squaredDifferences = 0.0
    var differences: [Double] = []
    for first in stride(from: 0, to: left.hidden.rows, by: Self.rowsAtOnce) {
      let rows = first..<min(first + Self.rowsAtOnce, left.hidden.rows)
      let a = try left.model.logits(left.hidden, rows: rows)
      let b = try right.model.logits(right.hidden, rows: rows)
      for row in rows {
        let pairs = zip(a[row - first], b[row - first])
        var rowWorst = 0.0
        for (x, y) in pairs {
          largest = max(largest, Double(abs(x)), Double(abs(y)))
          rowWorst = max(rowWorst, Double(abs(x - y)))
          squares += Double(x) * Double(x)
          squaredDifferences += Double(x - y) * Double(x - y)
        }
        differences.append(rowWorst)
        if rowWorst > worst {
          worst = rowWorst
          position = row
        }
      }
      withExtendedLifetime((a, b)) {}
    }
    guard largest > 0 else { return }
    difference = worst / largest
    rootMeanSquare = (squaredDifferences / squares).squareRoot()
    medianDifference = differences.sorted()[differences.count / 2] / largest
  }
}
