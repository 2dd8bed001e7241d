import Architectures
import Kernels
import Runtime
import TensorTypes

/// What residual streams that leave the last layer predict.
struct Predictions {
  private let model: ModelDescription
  private let norm: [Float]
  private let head: LinearMap

  /// Rows of logits held at a time: with a vocabulary of 150,000 they take 76 MB per matrix.
  static let rowsAtOnce = 128

  init(_ model: ModelDescription, weights: any WeightSource) throws {
    self.model = model
    norm = try weights.vector(TensorAddress(.finalNorm))
    head = LinearMap(
      weight: try weights.view(TensorAddress(model.tiesEmbeddings ? .embedding : .head)),
      bias: nil, dropsPages: true)
  }

  /// Logits [T, V] of residual streams [T, H].
  func logits(_ hidden: FloatMatrix) -> FloatMatrix {
    let normed = FloatMatrix(rows: hidden.rows, columns: hidden.columns)
    hidden.normalizeRows(by: norm, epsilon: model.normEpsilon, into: normed)
    return head(normed)
  }

  /// Logits of a model that others are compared with.
  struct Comparison {
    private let logits: FloatMatrix
    /// Their softmax, and log of its denominators.
    private let shares: FloatMatrix
    private let normalizers: [Double]

    init(with logits: FloatMatrix) {
      self.logits = logits
      normalizers = Comparison.normalizers(logits)
      shares = logits.copy
      withExtendedLifetime(shares) {
        Softmax.applyInPlace(shares.pointer, rows: logits.rows, count: logits.columns)
      }
    }

    /// The sum over rows of KL(this‖other) in nats; `other` [T, V] are logits too.
    func divergence(of other: FloatMatrix) -> Double {
      let own = Comparison.normalizers(other)
      return withExtendedLifetime((logits, shares, other)) {
        (0..<logits.rows).reduce(0) { sum, row in
          // sum p (log p - log q), with log p = a - log sum exp a.
          sum + own[row] - normalizers[row]
            + Comparison.sum(
              shares.row(row), logits.row(row), other.row(row), count: logits.columns)
        }
      }
    }

    private static func normalizers(_ logits: FloatMatrix) -> [Double] {
      withExtendedLifetime(logits) {
        (0..<logits.rows).map { Softmax.logSumExp(logits.row($0), count: logits.columns) }
      }
    }

    /// sum p (a - b), in 8 lanes: a single running sum cannot be vectorised.
    private static func sum(
      _ p: UnsafePointer<Float>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int
    ) -> Double {
      func lanes(_ x: UnsafePointer<Float>) -> SIMD8<Float> {
        UnsafeRawPointer(x).loadUnaligned(as: SIMD8<Float>.self)
      }
      var sums = SIMD8<Double>.zero
      let whole = count / 8 * 8
      for i in stride(from: 0, to: whole, by: 8) {
        sums += SIMD8<Double>(lanes(p + i) * (lanes(a + i) - lanes(b + i)))
      }
      return (whole..<count).reduce(sums.sum()) { $0 + Double(p[$1] * (a[$1] - b[$1])) }
    }
  }
}
