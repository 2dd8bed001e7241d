import Architectures
import Kernels
import Runtime
import Streams
import TensorTypes

/// What the experts of one layer are fitted on: the student's stream before the feed-forward part,
/// the source's stream after it, and where the tokens are sent.
struct ExpertData {
  let weights: ExpertWeights
  /// The layer up to its feed-forward part: its norm makes the inputs.
  let runner: LayerRunner
  /// The student's stream after attention [tokens, H].
  let middle: HiddenStream
  /// The source's stream after the layer [tokens, H].
  let goal: HiddenStream
  let massive: MassiveTokens
  /// Weight of massive tokens.
  let sinkWeight: Float

  /// The least-squares problem of an expert's down projection on some of its tokens: neurons to what
  /// the layer lacks without the expert.
  func sums(_ expert: Int, _ tokens: [Int]) throws -> Gram {
    let maps = weights.routed[expert]
    let gram = Gram(features: maps.down.weight.columns, targets: middle.columns)
    try middle.forEachBlock(of: tokens) { hidden, part in
      let input = runner.ffnInput(hidden)
      let neurons = try maps.neurons(input)
      let target = try goal.read(part)
      target.add(hidden, times: -1)
      target.scale(by: 1 / runner.model.multipliers.residual)
      if let shared = weights.shared { target.add(try shared(input), times: -1) }
      if let bias = maps.down.bias { target.addToRows(bias.map { -$0 }) }
      gram.add(
        neurons, target, weights: part.map { massive.indices.contains($0) ? sinkWeight : 1 })
    }
    return gram
  }
}
