import Architectures
import Communication
import Kernels
import Runtime

/// What one layer is fitted on: the student's stream entering it and the source's attention
/// output, for all tokens, and how tokens are weighted.
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
  /// The source's attention output [N, H].
  let target: HiddenStream
  let segments: Segments
  /// Tokens that carry an attention sink.
  let massive: MassiveTokens
  /// Their weight.
  let sinkWeight: Float

  var trainingSegments: Range<Int> { segments.training }
  var heldOutSegments: Range<Int> { segments.heldOut }

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
          let y = target.row(row), o = output.row(row)
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

  /// The batch of the given segments, in order.
  func batch(_ chosen: some Collection<Int>) throws -> Batch {
    let length = segments.length
    let hidden = FloatMatrix(rows: chosen.count * length, columns: model.hiddenSize)
    let goal = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    var weights: [Float] = []
    for (index, segment) in chosen.enumerated() {
      let first = segments.firstToken(of: segment)
      hidden.copyRows(of: try student.read(first, count: length), to: index * length)
      goal.copyRows(of: try target.read(first, count: length), to: index * length)
      weights += [Float](repeating: 0, count: sinks.rows)
      weights += (first..<first + length).map { massive.indices.contains($0) ? sinkWeight : 1 }
    }
    return Batch(
      input: runner.normed(hidden.withSinks(sinks, segments: chosen.count)),
      target: goal.withSinks(sinks.zeros, segments: chosen.count), weights: weights)
  }
}

/// How the tokens are cut into segments of equal length, the last tenth held out, and which
/// segments are those of this process: it alone reads and writes their streams.
struct Segments {
  let length: Int
  let count: Int
  /// The processes that share the text.
  var ranks = Communicator.single

  /// Segments for choosing the ridge and for never getting worse.
  var heldOut: Range<Int> { (count - max(1, min(count / 10, 16)))..<count }
  var training: Range<Int> { 0..<heldOut.lowerBound }

  func firstToken(of segment: Int) -> Int { segment * length }

  /// Those of this process among `segments`, which may name one more than once.
  func own(_ segments: some Sequence<Int>) -> [Int] {
    segments.filter { $0 % ranks.size == ranks.rank }
  }

  /// All segments of this process.
  var own: [Int] { own(0..<count) }
}

extension Segments {
  /// Whole segments of `length` tokens, of the first `limit` of `tokens`; throws when there are less
  /// than four.
  init(
    of tokens: [Int], limit: Int = .max, length: Int, ranks: Communicator = .single
  ) throws {
    self.init(length: length, count: min(limit, tokens.count) / length, ranks: ranks)
    guard count >= 4 else {
      throw HealingError.tooFewTokens(tokens.count, needed: 4 * length)
    }
  }

  /// Tokens in all.
  var tokenCount: Int { count * length }
}
