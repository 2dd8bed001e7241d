import Architectures
import Kernels
import Mixers
import Runtime

/// How a part f of a layer, its mixer or its feed-forward part, stands in the residual stream, with
/// gradients: h += factor · after(f(before(h))), both of them norms, which stay as they are.
struct ResidualPart {
  /// Weight of the norm in front [H]; empty for none.
  private let before: [Float]
  /// Weight of the norm behind [H]; nil for none.
  private let after: [Float]?
  private let factor: Double
  private let epsilon: Double

  /// The place of the mixer of a layer.
  init(ofMixer weights: LayerWeights, _ model: ModelDescription) {
    self.init(weights.mixerNorm, weights.mixerPostNorm, model)
  }

  /// The place of its feed-forward part.
  init(ofFeedForward weights: LayerWeights, _ model: ModelDescription) {
    self.init(weights.ffnNorm, weights.ffnPostNorm, model)
  }

  private init(_ before: [Float], _ after: [Float]?, _ model: ModelDescription) {
    self.before = before
    self.after = after
    factor = model.multipliers.residual
    epsilon = model.normEpsilon
  }

  /// What `part` adds to the stream h [T, H].
  func callAsFunction(_ hidden: FloatMatrix, _ part: (FloatMatrix) -> Traced) -> Traced {
    guard !before.isEmpty else { return finished(part(hidden)) }
    let input = hidden.unset
    hidden.normalizeRows(by: before, epsilon: epsilon, into: input)
    let made = finished(part(input))
    return Traced(value: made.value) { [before, epsilon] gradient, inputGradient in
      guard let inputGradient else { return made.pullback(gradient, nil) }
      let below = gradient.zeros
      made.pullback(gradient, below)
      hidden.normBackward(
        weight: before, epsilon: epsilon, gradient: below, into: below, weightGradient: nil)
      inputGradient.add(below)
    }
  }

  /// What the output of a part [T, H] adds to the stream.
  func finished(_ made: Traced) -> Traced {
    guard after != nil || factor != 1 else { return made }
    return Traced(value: finished(made.value)) { [after, factor, epsilon] gradient, inputGradient in
      let below = gradient.copy
      below.scale(by: factor)
      if let after {
        made.value.normBackward(
          weight: after, epsilon: epsilon, gradient: below, into: below, weightGradient: nil)
      }
      made.pullback(below, inputGradient)
    }
  }

  /// The same without gradients; `output` itself when nothing follows it.
  func finished(_ output: FloatMatrix) -> FloatMatrix {
    guard after != nil || factor != 1 else { return output }
    let result = output.copy
    if let after { output.normalizeRows(by: after, epsilon: epsilon, into: result) }
    result.scale(by: factor)
    return result
  }

  /// By how much errors of the rows of `output` [T, H] count after the norm behind it, to first order and
  /// apart from its weight: 1 / mean square; 1 where there is no norm.
  func errorWeights(_ output: FloatMatrix) -> [Float] {
    guard after != nil else { return [Float](repeating: 1, count: output.rows) }
    return RowDistances(output, from: output).squaredNorms.map {
      1 / ($0 / Float(output.columns) + Float(epsilon))
    }
  }
}
