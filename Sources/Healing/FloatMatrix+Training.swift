import Architectures
import Kernels
import Runtime

/// Matrix operations of training, on matrices that they keep alive.
extension FloatMatrix {
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

  /// Becomes aᵀ · b: the gradient of a weight from those of its outputs and its inputs.
  func setTransposedProduct(_ a: FloatMatrix, _ b: FloatMatrix) {
    withExtendedLifetime((self, a, b)) {
      MatrixProduct.multiply(
        .transposedLeft, a.pointer, b.pointer, m: a.columns, n: b.columns, k: a.rows,
        into: pointer)
    }
  }

  /// Becomes the sum of the rows of `matrix`: the gradient of a bias.
  func setColumnSums(of matrix: FloatMatrix) {
    elements.update(repeating: 0)
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
  func becomeLogDecay() {
    withExtendedLifetime(self) { DecayGate.logDecayInPlace(pointer, count: count) }
  }

  /// The gradient of log-decays becomes that of their logits.
  func becomeLogitGradient(logits: FloatMatrix) {
    withExtendedLifetime((self, logits)) {
      DecayGate.backward(
        logits: logits.pointer, logDecayGradient: pointer, count: count, into: pointer)
    }
  }

  /// The gradient of per-head norms of this matrix, and of their weight.
  func normBackward(
    weight: [Float], epsilon: Double, gradient: FloatMatrix, into output: FloatMatrix,
    weightGradient: FloatMatrix?
  ) {
    let sums = weightGradient ?? FloatMatrix(rows: 1, columns: weight.count)
    sums.elements.update(repeating: 0)
    withExtendedLifetime((self, gradient, output, sums)) {
      RMSNorm.backward(
        pointer, outputGradient: gradient.pointer, rows: count / weight.count,
        count: weight.count, weight: weight, epsilon: Float(epsilon),
        inputGradient: output.pointer, addingWeightGradient: sums.pointer)
    }
  }
}

/// Gated linear attention over whole segments, each from an empty state.
struct GLASequences {
  let model: ModelDescription
  let segments: Int

  /// Head outputs [T, heads·d].
  func forward(
    _ query: FloatMatrix, _ key: FloatMatrix, _ value: FloatMatrix, _ decay: FloatMatrix
  ) -> FloatMatrix {
    let output = FloatMatrix(rows: query.rows, columns: model.queryWidth)
    withExtendedLifetime((query, key, value, decay, output)) {
      GatedLinearAttention.applySegments(
        queries: query.pointer, keys: key.pointer, values: value.pointer, logDecay: decay.pointer,
        segments: segments, tokens: query.rows / segments, layout: model.headLayout,
        output: output.pointer)
    }
    return output
  }

  /// Gradients of q, k, v and the log-decay from that of the head outputs.
  func backward(
    _ query: FloatMatrix, _ key: FloatMatrix, _ value: FloatMatrix, _ decay: FloatMatrix,
    outputGradient: FloatMatrix
  ) -> (query: FloatMatrix, key: FloatMatrix, value: FloatMatrix, decay: FloatMatrix) {
    func like(_ matrix: FloatMatrix) -> FloatMatrix {
      FloatMatrix(rows: matrix.rows, columns: matrix.columns)
    }
    let gradients = (query: like(query), key: like(key), value: like(value), decay: like(decay))
    withExtendedLifetime((query, key, value, decay, outputGradient, gradients)) {
      GatedLinearAttention.backward(
        queries: query.pointer, keys: key.pointer, values: value.pointer, logDecay: decay.pointer,
        outputGradient: outputGradient.pointer, segments: segments,
        tokens: query.rows / segments, layout: model.headLayout,
        queryGradient: gradients.query.pointer, keyGradient: gradients.key.pointer,
        valueGradient: gradients.value.pointer, logDecayGradient: gradients.decay.pointer)
    }
    return gradients
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
