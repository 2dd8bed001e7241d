import Architectures
import Foundations
import Kernels
import Runtime

/// Which expert has which neurons of a dense feed-forward part.
struct CarvedNeurons {
  let experts: FeedForward.Experts
  /// The neurons of the shared expert, then those of routed expert 0, 1 and so on.
  let order: [Int]
  /// The neurons that as many for all tokens would not include.
  private let weak: [Int]

  /// Divides the neurons: the strongest are shared, the others go where those of like profile go.
  init(
    _ statistics: NeuronStatistics, _ experts: FeedForward.Experts,
    generator: inout SplitMix64
  ) {
    self.experts = experts
    let shared = statistics.strongest(experts.sharedSize)
    let taken = Set(shared)
    let others = statistics.importance.indices.filter { !taken.contains($0) }
    let clusters = BalancedClusters(
      of: statistics.profiles(of: others), count: experts.routed, generator: &generator)
    order = shared + clusters.members.flatMap { $0.map { others[$0] } }
    let kept = Set(statistics.strongest(experts.activeSize))
    weak = statistics.importance.indices.filter { !kept.contains($0) }
  }

  /// The neurons of a routed expert.
  func neurons(of expert: Int) -> ArraySlice<Int> {
    let first = experts.sharedSize + expert * experts.size
    return order[first..<first + experts.size]
  }

  /// Sets the activations [T, F] of neurons to 0 that a token's experts do not have.
  func silence(_ activations: FloatMatrix, outside routing: Routing) {
    for token in 0..<activations.rows {
      let chosen = routing.experts[token * routing.chosen..<(token + 1) * routing.chosen]
      let row = activations[token]
      for expert in 0..<experts.routed where !chosen.contains(expert) {
        for neuron in neurons(of: expert) { row[neuron] = 0 }
      }
    }
  }

  /// Sets the activations [T, F] of all but the strongest neurons to 0, as many as a token's experts
  /// do not have.
  func silenceWeak(_ activations: FloatMatrix) {
    for token in 0..<activations.rows {
      let row = activations[token]
      for neuron in weak { row[neuron] = 0 }
    }
  }

  /// What each routed expert adds to the output of each token, without regard to how neurons add up
  /// [T, N]: the root of the sum of its neurons' squares, each times the norm of its column.
  func strengths(_ activations: FloatMatrix, scales: [Float]) -> FloatMatrix {
    let strengths = FloatMatrix(rows: activations.rows, columns: experts.routed)
    for token in 0..<activations.rows {
      let row = activations[token]
      for expert in 0..<experts.routed {
        let power = neurons(of: expert).reduce(Float(0)) {
          $0 + row[$1] * row[$1] * scales[$1]
        }
        strengths[token][expert] = power.squareRoot()
      }
    }
    return strengths
  }
}
