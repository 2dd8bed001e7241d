import Architectures
import Kernels
import Runtime
import Streams

/// What one layer is fitted on: the student's stream entering it and the source's output of o_proj,
/// for all tokens, and how tokens are weighted.
struct LayerData {
  /// The layer, for messages and seeds.
  let index: Int
  let model: ModelDescription
  /// The student's layer: its norm makes the inputs.
  let runner: LayerRunner
  /// The student's residual stream entering the layer [N, H].
  let student: HiddenStream
  /// The stream of the sinks entering the layer [n, H], the same before every segment.
  let sinks: FloatMatrix
  /// The source's output of o_proj [N, H].
  let target: HiddenStream
  let segments: Segments
  /// Tokens that carry an attention sink.
  let massive: MassiveTokens
  /// Their weight.
  let sinkWeight: Float

  /// Inputs, targets and weights of some segments, the sinks before each; they have no targets, and
  /// weigh nothing.
  struct Batch {
    /// x = norm(h) [T, H].
    let input: FloatMatrix
    /// Y [T, H].
    let target: FloatMatrix
    /// omega [T].
    let weights: [Float]

    /// The relative loss; replaces `output` by its gradient.
    func lossAndGradient(of output: FloatMatrix) -> Double {
      let (error, scale) = weightedError(of: output)
      replaceByGradient(output, scale: scale)
      return error / max(scale, 1e-30)
    }

    /// Replaces `output` by the gradient of its weighted squared error, relative to `scale`.
    func replaceByGradient(_ output: FloatMatrix, scale: Double) {
      let total = max(scale, 1e-30)
      withExtendedLifetime((output, target)) {
        for row in 0..<output.rows {
          let factor = 2 * weights[row] / Float(total)
          let y = target[row], o = output[row]
          for column in 0..<output.columns { o[column] = factor * (o[column] - y[column]) }
        }
      }
    }

    /// Weighted squared error of `output`, and that of predicting zero.
    func weightedError(of output: FloatMatrix) -> (error: Double, scale: Double) {
      let distances = RowDistances(output, from: target)
      var error = 0.0, scale = 0.0
      for row in weights.indices {
        error += Double(distances.squaredDistances[row] * weights[row])
        scale += Double(distances.squaredNorms[row] * weights[row])
      }
      return (error, scale)
    }
  }

  /// What follows o_proj.
  var part: ResidualPart { ResidualPart(ofMixer: runner.weights, model) }

  /// The batch of the given segments, in order; its targets are what attention adds to the stream.
  func batch(_ chosen: some Collection<Int>) throws -> Batch {
    let raw = try outputs(chosen)
    return Batch(input: raw.input, target: part.finished(raw.target), weights: raw.weights)
  }

  /// The same for a closed form of o_proj: the targets are its outputs, and tokens weigh what their
  /// errors do in what attention adds.
  func linearBatch(_ chosen: some Collection<Int>) throws -> Batch {
    let raw = try outputs(chosen)
    return Batch(
      input: raw.input, target: raw.target,
      weights: zip(raw.weights, part.errorWeights(raw.target)).map { $0 == 0 ? 0 : $0 * $1 })
  }

  private func outputs(_ chosen: some Collection<Int>) throws -> Batch {
    let tokens = chosen.flatMap { segments.range(of: $0) }
    let weights = chosen.flatMap { segment in
      [Float](repeating: 0, count: sinks.rows)
        + segments.range(of: segment).map { massive.indices.contains($0) ? sinkWeight : 1 }
    }
    return Batch(
      input: runner.normed(
        try student.read(tokens).withSinks(sinks, segments: chosen.count)),
      target: try target.read(tokens).withSinks(sinks.zeros, segments: chosen.count),
      weights: weights)
  }
}
