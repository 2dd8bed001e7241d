package import Architectures
package import Kernels

/// Which experts each token passes through, and with what weight.
///
/// p = softmax(router x) over all N experts; the k most likely are used, weighted by p as it is, by p
/// over the sum of theirs, or by 1. Equal scores are taken in cyclic order from expert (token id + position) mod N on, so that
/// a router of zeros spreads tokens evenly; sinks count as token 0, and as positions.
public struct Routing: Sendable {
  /// Experts per token k.
  public let chosen: Int
  /// The experts of each token, most likely first [T · k].
  public private(set) var experts: [Int] = []
  /// Their probabilities [T · k].
  public private(set) var probabilities: [Float] = []
  /// What their outputs are multiplied by [T · k].
  public private(set) var weights: [Float] = []

  /// Routes by router scores [T, N].
  ///
  /// - Parameters:
  ///   - offsets: token id + position of each token, which orders equal scores.
  package init(
    scores: FloatMatrix, chosen: Int,
    weighting: FeedForward.Experts.Weighting = .softmax, offsets: [Int]
  ) {
    self.chosen = chosen
    let likely = scores.copy
    defer { withExtendedLifetime((scores, likely)) {} }
    likely.becomeSoftmax()
    experts.reserveCapacity(scores.rows * chosen)
    probabilities.reserveCapacity(scores.rows * chosen)
    for row in 0..<scores.rows {
      for expert in Routing.best(chosen, of: scores[row], offset: offsets[row]) {
        experts.append(expert)
        probabilities.append(likely[row][expert])
      }
    }
    switch weighting {
    case .softmax: weights = probabilities
    case .normalized:
      weights = stride(from: 0, to: probabilities.count, by: max(1, chosen)).flatMap { first in
        let own = probabilities[first..<min(first + chosen, probabilities.count)]
        let sum = own.reduce(0, +)
        return own.map { $0 / sum }
      }
    // A router that is no number must not pass for one.
    case .one: weights = probabilities.map { $0.isFinite ? 1 : $0 }
    }
  }

  /// The experts with the highest scores, equal ones in cyclic order from `offset` on.
  static func best(
    _ count: Int, of scores: UnsafeMutableBufferPointer<Float>, offset: Int
  ) -> [Int] {
    let total = scores.count
    var order = (0..<total).map { (offset % total + $0) % total }
    var best: [Int] = []
    for _ in 0..<min(count, total) {
      let place = order.indices.reduce(0) { scores[order[$1]] > scores[order[$0]] ? $1 : $0 }
      best.append(order.remove(at: place))
    }
    return best
  }

  /// Where in `experts` each of `count` experts was chosen: of the tokens place / k.
  package func places(of count: Int) -> [[Int]] {
    var places = [[Int]](repeating: [], count: count)
    for (place, expert) in experts.enumerated() { places[expert].append(place) }
    return places
  }

  /// How many tokens each of `count` experts gets.
  public func load(of count: Int) -> [Int] {
    experts.reduce(into: [Int](repeating: 0, count: count)) { $0[$1] += 1 }
  }
}
