import Architectures
import Kernels
import Runtime
import Streams
import TensorTypes

/// What residual streams that leave the last layer predict.
struct Predictions {
  let model: ModelDescription
  /// Weight of the final norm [H].
  let norm: [Float]
  /// The output head [V, H].
  let head: LinearMap

  /// Rows of logits held at a time: at most 256, and 128 MiB in a matrix.
  static func rowsAtOnce(_ model: ModelDescription) -> Int {
    let bytes = MemoryLayout<Float>.stride * model.vocabularySize
    return max(1, min(256, (128 << 20) / bytes))
  }

  init(of model: DescribedModel) throws {
    self.model = model.description
    norm = try model.weights.norm(TensorAddress(.finalNorm), of: model.description)
    head = try .head(of: model.description, from: model.weights, dropsPages: true)
  }

  /// The final norm of residual streams [T, H].
  func normed(_ hidden: FloatMatrix) -> FloatMatrix {
    let normed = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    hidden.normalizeRows(by: norm, epsilon: model.normEpsilon, into: normed)
    return normed
  }

  /// Logits [T, V] of residual streams [T, H].
  func logits(_ hidden: FloatMatrix) throws -> FloatMatrix {
    let logits = try head(normed(hidden))
    logits.finishLogits(of: model)
    return logits
  }

  /// KL(reference‖these) of rows of logits [T, V], summed, in nats; `logits` become `factor` times
  /// its gradient.
  static func divergence(
    of logits: FloatMatrix, from reference: FloatMatrix, factor: Float = 0
  ) -> Double {
    Distillation.backwardInPlace(student: logits, teacher: reference, factor: factor).reduce(0, +)
  }
}

extension Predictions {
  /// Mean KL(reference‖these) over `tokens`, in nats, of each of `streams` that leave the last layer;
  /// `source` is that of the reference.
  func divergences(
    of streams: [HiddenStream], from source: HiddenStream, of reference: Predictions,
    over tokens: Range<Int>
  ) throws -> [Double] {
    var sums = [Double](repeating: 0, count: streams.count)
    let step = Self.rowsAtOnce(model)
    for first in stride(from: tokens.lowerBound, to: tokens.upperBound, by: step) {
      let rows = first..<min(first + step, tokens.upperBound)
      let expected = try reference.logits(source.read(rows))
      for (index, stream) in streams.enumerated() {
        sums[index] += Self.divergence(of: try logits(stream.read(rows)), from: expected)
      }
    }
    return sums.map { $0 / Double(tokens.count) }
  }
}
