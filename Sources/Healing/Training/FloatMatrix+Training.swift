import Architectures
import Kernels
import Runtime

/// Matrix operations of training, on matrices that they keep alive.
extension FloatMatrix {
  /// A matrix of the same size whose elements are not yet set.
  var unset: FloatMatrix { FloatMatrix(rows: rows, columns: columns) }

  /// A matrix of zeros of the same size: where a gradient is summed up.
  var zeros: FloatMatrix {
    let zeros = unset
    zeros.elements.update(repeating: 0)
    return zeros
  }

  /// a · bᵀ: [m, k] and [n, k] give [m, n].
  static func product(_ a: FloatMatrix, transposed b: FloatMatrix) -> FloatMatrix {
    let c = FloatMatrix(rows: a.rows, columns: b.rows)
    withExtendedLifetime((a, b, c)) {
      MatrixProduct.multiply(
        .transposedRight, a.pointer, b.pointer, m: a.rows, n: b.rows, k: a.columns,
        into: c.pointer)
    }
    return c
  }

  /// a · b: [m, k] and [k, n] give [m, n].
  static func product(_ a: FloatMatrix, _ b: FloatMatrix) -> FloatMatrix {
    let c = FloatMatrix(rows: a.rows, columns: b.columns)
    withExtendedLifetime((a, b, c)) {
      MatrixProduct.multiply(
        .plain, a.pointer, b.pointer, m: a.rows, n: b.columns, k: a.columns, into: c.pointer)
    }
    return c
  }

  /// Adds aᵀ · b: the gradient of a weight from those of its outputs and its inputs.
  func addTransposedProduct(_ a: FloatMatrix, _ b: FloatMatrix) {
    withExtendedLifetime((self, a, b)) {
      MatrixProduct.multiply(
        .transposedLeft, a.pointer, b.pointer, m: a.columns, n: b.columns, k: a.rows,
        adding: true, into: pointer)
    }
  }

  /// Adds a · b: the gradient of inputs from that of the outputs and the weight.
  func addProduct(_ a: FloatMatrix, _ b: FloatMatrix) {
    withExtendedLifetime((self, a, b)) {
      MatrixProduct.multiply(
        .plain, a.pointer, b.pointer, m: a.rows, n: b.columns, k: a.columns, adding: true,
        into: pointer)
    }
  }

  /// The sum of the squares of all elements.
  var squaredNorm: Double {
    withExtendedLifetime(self) { Vector.sumOfSquares(pointer, count: count) }
  }

  /// Adds the sum of the rows of `matrix`: the gradient of a bias.
  func addColumnSums(of matrix: FloatMatrix) {
    withExtendedLifetime((self, matrix)) {
      Vector.addColumnSums(
        matrix.pointer, rows: matrix.rows, columns: matrix.columns, to: pointer)
    }
  }

  /// Adds a matrix of one row to every row.
  func addToRows(_ row: FloatMatrix) {
    withExtendedLifetime((self, row)) {
      for index in 0..<rows { Vector.add(row.pointer, count: columns, to: self.row(index)) }
    }
  }

  /// Adds `factor` times a matrix of the same size.
  func add(_ other: FloatMatrix, times factor: Float) {
    withExtendedLifetime((self, other)) {
      Vector.addScaled(other.pointer, by: factor, count: count, to: pointer)
    }
  }

  /// Subtracts a · b, elementwise.
  func subtractProduct(_ a: FloatMatrix, _ b: FloatMatrix) {
    withExtendedLifetime((self, a, b)) {
      for index in 0..<count { pointer[index] -= a.pointer[index] * b.pointer[index] }
    }
  }

  /// 1 / (1 + exp(-x)) in place.
  func becomeSigmoid() {
    withExtendedLifetime(self) { Sigmoid.applyInPlace(pointer, count: count) }
  }

  /// The gradient of sigmoids becomes that of their logits.
  func becomeSigmoidGradient(of sigmoids: FloatMatrix) {
    withExtendedLifetime((self, sigmoids)) {
      for index in 0..<count {
        pointer[index] *= sigmoids.pointer[index] * (1 - sigmoids.pointer[index])
      }
    }
  }

  /// max(x, 0) in place.
  func rectify() {
    withExtendedLifetime(self) { Vector.reluInPlace(pointer, count: count) }
  }

  /// Zero wherever `activation` is not positive: the gradient of a ReLU.
  func maskWhereZero(_ activation: FloatMatrix) {
    withExtendedLifetime((self, activation)) {
      Vector.reluBackward(
        activation.pointer, outputGradient: pointer, count: count, into: pointer)
    }
  }

  /// Gate logits become log-decays.
  func becomeLogDecay(normalizer: Float = 16) {
    withExtendedLifetime(self) {
      DecayGate.logDecayInPlace(pointer, count: count, normalizer: normalizer)
    }
  }

  /// The gradient of log-decays becomes that of their logits.
  func becomeLogitGradient(logits: FloatMatrix) {
    withExtendedLifetime((self, logits)) {
      DecayGate.backward(
        logits: logits.pointer, logDecayGradient: pointer, count: count, into: pointer)
    }
  }

  /// The gradient of norms of this matrix, one per run of `weight.count` elements; adds that of
  /// their weight.
  ///
  /// - Parameter heads: how many weights of as many runs in turn `weight` holds.
  func normBackward(
    weight: [Float], heads: Int = 1, epsilon: Double, gradient: FloatMatrix,
    into output: FloatMatrix, weightGradient: FloatMatrix?
  ) {
    withExtendedLifetime((self, gradient, output, weightGradient)) {
      RMSNorm.backward(
        pointer, outputGradient: gradient.pointer, rows: count / weight.count * heads,
        count: weight.count / heads, weight: weight, weightRows: heads, epsilon: Float(epsilon),
        inputGradient: output.pointer, addingWeightGradient: weightGradient?.pointer)
    }
  }
}

extension Gram {
  /// Adds the rows of `features` and `targets`.
  func add(_ features: FloatMatrix, _ targets: FloatMatrix, weights: [Float]) {
    withExtendedLifetime((features, targets)) {
      add(features.pointer, targets: targets.pointer, weights: weights, rows: features.rows)
    }
  }

  /// The ridge solution, or nil when the sums do not determine one.
  func solution(ridge: Double, towards prior: FloatMatrix) -> FloatMatrix? {
    let weight = FloatMatrix(rows: targets, columns: features)
    return withExtendedLifetime((prior, weight)) {
      do {
        try solve(ridge: ridge, prior: prior.pointer, into: weight.pointer)
        return weight
      } catch {
        return nil
      }
    }
  }

  /// The weighted squared error of `weight` on these sums.
  func squaredError(of weight: FloatMatrix) -> Double {
    withExtendedLifetime(weight) { squaredError(of: UnsafePointer(weight.pointer)) }
  }
}
