/// The predicted course of a sweep, in which layers may take more time than others, and in which
/// something may follow the last one.
public struct Schedule: Sendable {
  /// When each layer is reached, and when all are done.
  private let ends: [Double]
  /// When what follows is done, too.
  package let total: Double

  /// The course of a sweep over `layers`, each given by the time that it takes, and of `rest` after
  /// them; in any unit.
  package init(layers: [Double], rest: Double = 0) {
    ends = layers.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    total = max(ends[ends.count - 1] + rest, 1e-9)
  }

  /// The share of the time that `layers` layers take, the last of them in part.
  public func share(layers: Double) -> Double {
    let whole = min(max(0, Int(layers)), ends.count - 1)
    let next = min(whole + 1, ends.count - 1)
    return (ends[whole] + (layers - Double(whole)) * (ends[next] - ends[whole])) / total
  }

  /// The share when `share` of what follows the layers is done.
  public func share(secondStage share: Double) -> Double {
    let first = ends[ends.count - 1]
    return (first + share * (total - first)) / total
  }
}
