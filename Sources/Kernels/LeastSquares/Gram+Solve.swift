public import Foundations

/// Why a least-squares problem has no solution.
public enum LeastSquaresError: ReportableError, Equatable {
  /// The leading minor of this order is not positive: the features depend on each other (or hold
  /// NaN) and the ridge is too small.
  case notPositiveDefinite(order: Int)

  public var what: String {
    switch self {
    case .notPositiveDefinite(let order):
      "what the model computes of the text does not determine the weights (input \(order)): inputs "
        + "depend on each other, or are not finite numbers"
    }
  }

  public var advice: String? { "give more --text, and look at the model with `verify`" }
}

extension Gram {
  /// The ridge solution (G + R) Wᵀ = Cᵀ + R W_priorᵀ with R = λ diag(G) + tiny.
  ///
  /// The ridge on feature i is λ G_ii + tiny, where tiny is 1e-10 of the mean of the diagonal: too
  /// small to matter, but features that are never active keep the prior's weights.
  ///
  /// - Parameters:
  ///   - ridge: λ >= 0, relative to each feature's power.
  ///   - prior: W_prior [targets, features]; nil is zeros.
  ///   - weights: receives W [targets, features], the layout of a linear layer's weight; may be the
  ///     prior.
  ///
  /// Float64 throughout, by Cholesky factorisation: features³/6 + targets · features²
  /// multiply-adds for each λ.
  func solve(
    ridge: Double, prior: UnsafePointer<Float>? = nil, into weights: UnsafeMutablePointer<Float>
  ) throws(LeastSquaresError) {
    let size = features
    let ridges = ridgeDiagonal(ridge)
    // LAPACK is column-major, so our upper triangle is its lower one.
    var factor = matrix
    for i in 0..<size { factor[i * size + i] += ridges[i] }
    try Cholesky.factor(&factor, size: size)
    factor.withUnsafeBufferPointer { factor in
      cross.withUnsafeBufferPointer { cross in
        guard let factor = factor.baseAddress, let cross = cross.baseAddress else { return }
        Parallel.ranges(targets, minimum: 1 + (1 << 21) / (size * size)) { range in
          withUnsafeTemporaryAllocation(of: Double.self, capacity: range.count * size) { rows in
            guard let rows = rows.baseAddress else { return }
            for (r, target) in range.enumerated() {
              for i in 0..<size {
                let pull = prior.map { ridges[i] * Double($0[target * size + i]) } ?? 0
                rows[r * size + i] = cross[target * size + i] + pull
              }
            }
            Cholesky.solve(factor, size: size, rows: rows, count: range.count)
            for (r, target) in range.enumerated() {
              for i in 0..<size { weights[target * size + i] = Float(rows[r * size + i]) }
            }
          }
        }
      }
    }
  }

  /// What is added to the diagonal: λ G_ii + tiny.
  func ridgeDiagonal(_ ridge: Double) -> [Double] {
    let diagonal = (0..<features).map { matrix[$0 * features + $0] }
    let mean = diagonal.reduce(0, +) / Double(features)
    let tiny = mean > 0 ? mean * 1e-10 : 1
    return diagonal.map { ridge * $0 + tiny }
  }

  /// sum over rows of ω |W φ - y|² for W [targets, features], from the sums alone:
  /// tr(W G Wᵀ) - 2 tr(W Cᵀ) + sum ω |y|².
  ///
  /// On sums of held-out tokens this is what chooses λ. Cancellation limits it to about 1e-6 of
  /// sum ω |y|².
  func squaredError(of weights: UnsafePointer<Float>) -> Double {
    let size = features
    return cross.withUnsafeBufferPointer { cross in
      sum(over: weights, rows: targets, from: targetSquares) { w, product, target in
        (0..<size).reduce(0.0) { $0 + w[$1] * (product[$1] - 2 * cross[target * size + $1]) }
      }
    }
  }

  /// `start` and for each of the `rows` of `weights` [rows, features] the term of the row w and the
  /// product G w, summed in order.
  private func sum(
    over weights: UnsafePointer<Float>, rows: Int, from start: Double,
    term: (_ w: UnsafePointer<Double>, _ product: UnsafePointer<Double>, _ row: Int) -> Double
  ) -> Double {
    let size = features
    return matrix.withUnsafeBufferPointer { matrix in
      guard let matrix = matrix.baseAddress else { return start }
      return withUnsafeTemporaryAllocation(of: Double.self, capacity: max(rows, 1)) { terms in
        Parallel.ranges(rows, minimum: 1 + (1 << 21) / (size * size)) { range in
          withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * range.count * size) {
            guard let w = $0.baseAddress else { return }
            let product = w + range.count * size
            for i in 0..<range.count * size {
              w[i] = Double(weights[range.lowerBound * size + i])
            }
            Cholesky.multiplySymmetric(matrix, size: size, rows: w, count: range.count, product)
            for (r, row) in range.enumerated() {
              terms[row] = term(w + r * size, product + r * size, row)
            }
          }
        }
        return terms[..<rows].reduce(start, +)
      }
    }
  }
}

extension Gram {
  /// G alone, of `rows` tokens φ [rows, features], rows `stride` floats apart (default: features).
  func add(_ phi: UnsafePointer<Float>, stride: Int? = nil, rows: Int) {
    add(phi, stride: stride, targets: phi, targetStride: 0, rows: rows)
  }

  /// sum over rows w of w G wᵀ for weights [rows, features]: sum over tokens of |W φ|².
  func power(of weights: UnsafePointer<Float>, rows: Int) -> Double {
    let size = features
    return sum(over: weights, rows: rows, from: 0) { w, product, _ in
      (0..<size).reduce(0.0) { $0 + w[$1] * product[$1] }
    }
  }
}
