import Architectures
import Runtime

/// Logits of two ways to compute the same thing.
struct LogitsComparison {
  /// Largest absolute difference relative to the largest absolute logit.
  private(set) var difference = 0.0
  /// The median over positions of the same ratio.
  private(set) var medianDifference = 0.0
  /// The position where they differ most.
  private(set) var position = 0
  /// The first position with a logit that is not finite, if any.
  private(set) var firstNonFinite: Int?

  /// Compares logits [T, V] row by row without holding more than one block of each.
  init(
    _ left: (model: Model, hidden: FloatMatrix), _ right: (model: Model, hidden: FloatMatrix)
  ) {
    var largest = 0.0, worst = 0.0
    var differences: [Double] = []
    for row in 0..<left.hidden.rows {
      let a = left.model.logits(left.hidden, rows: row..<row + 1)
      let b = right.model.logits(right.hidden, rows: row..<row + 1)
      defer { withExtendedLifetime((a, b)) {} }
      var rowWorst = 0.0
      for index in 0..<a.columns {
        let x = Double(a.pointer[index]), y = Double(b.pointer[index])
        largest = max(largest, abs(x), abs(y))
        rowWorst = max(rowWorst, abs(x - y))
        if !x.isFinite || !y.isFinite, firstNonFinite == nil { firstNonFinite = row }
      }
      differences.append(rowWorst)
      if rowWorst > worst {
        worst = rowWorst
        position = row
      }
    }
    guard largest > 0 else { return }
    difference = worst / largest
    medianDifference = differences.sorted()[differences.count / 2] / largest
  }
}
