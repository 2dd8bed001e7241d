/// What a rounding error of one input's weight asks of the weights after it.
///
/// The output error of a row with errors e = w - q is e H eᵀ with H = Σ x xᵀ over the inputs. With
/// H = (U + 1) D (U + 1)ᵀ, U strictly upper triangular, it is the sum over i of
/// D_i (e_i + Σ_{j<i} e_j U_ji)²: rounding w_i + Σ_{j<i} e_j U_ji to its nearest code, input after
/// input, is best for every i given those before. This is what GPTQ (Frantar et al. 2022) computes
/// with the inverse of H, in the form of Chee et al. (2023, "QuIP"), which needs none.
public final class RoundingFeedback: Sendable {
  /// Inputs.
  public let size: Int
  /// U [size, size]; the diagonal and below are zero.
  let upper: [Float]
  /// D [size], the importance of what is left of an error.
  let importance: [Float]

  /// The feedback for inputs with the moments `gram`.
  ///
  /// - Parameter damping: added to the diagonal, relative to its mean: what keeps errors from being
  ///   moved to inputs of which the sample shows too little.
  ///
  /// Float64 Cholesky factorisation, size³/6 multiply-adds.
  public init(_ gram: Gram, damping: Double = 0.01) throws(LeastSquaresError) {
    let size = gram.features
    self.size = size
    let mean = (0..<size).reduce(0) { $0 + gram.matrix[$1 * size + $1] } / Double(size)
    let added = mean > 0 ? damping * mean : 1
    // H with its inputs in reverse: its lower factor, reversed again, is the upper factor of H.
    var factor = [Double](repeating: 0, count: size * size)
    for i in 0..<size {
      for j in i..<size {
        factor[(size - 1 - j) * size + (size - 1 - i)] = gram.matrix[i * size + j]
      }
      factor[(size - 1 - i) * size + (size - 1 - i)] += added
    }
    try Cholesky.factor(&factor, size: size)
    var upper = [Float](repeating: 0, count: size * size)
    var importance = [Float](repeating: 0, count: size)
    for i in 0..<size {
      // Column i of the factor R of H = R Rᵀ, divided by its diagonal element.
      let column = (size - 1 - i) * size
      let pivot = factor[column + size - 1 - i]
      importance[i] = Float(pivot * pivot)
      for j in 0..<i { upper[j * size + i] = Float(factor[column + size - 1 - j] / pivot) }
    }
    self.upper = upper
    self.importance = importance
  }
}

extension RoundingCall {
  /// Inputs whose feedback is applied one by one; that of earlier blocks comes as a product.
  private static let block = 128

  /// Each weight to the code nearest to it once the errors of those before it are added.
  func round(_ feedback: RoundingFeedback) {
    precondition(feedback.size == columns)
    feedback.upper.withUnsafeBufferPointer { upper in
      feedback.importance.withUnsafeBufferPointer { importance in
        guard let upper = upper.baseAddress, let importance = importance.baseAddress else { return }
        withScratch(2 * rows * columns) { wished in
          wished.update(from: weights, count: rows * columns)
          let errors = wished + rows * columns, isa = Execution.isa
          for first in stride(from: 0, to: columns, by: Self.block) {
            let inputs = first..<min(columns, first + Self.block)
            if first > 0 {
              Product.multiply(
                .plain, errors, stride: columns, upper + first, stride: columns, m: rows,
                n: inputs.count, k: first, adding: true, into: wished + first, stride: columns)
            }
            for row in 0..<rows {
              round(
                row, inputs, wished + row * columns, errors + row * columns, upper, importance, isa)
            }
          }
        }
      }
    }
  }

  /// Rounds a block of one row.
  private func round(
    _ row: Int, _ inputs: Range<Int>, _ wished: UnsafeMutablePointer<Float>,
    _ errors: UnsafeMutablePointer<Float>, _ upper: UnsafePointer<Float>,
    _ importance: UnsafePointer<Float>, _ isa: Int32
  ) {
    let weights = weights + row * columns, codes = codes + row * columns
    let scales = scales + row * groups
    for c in inputs {
      if c % groupSize == 0 {
        // From what is known of the group; later blocks of a large one may still move a little.
        let group = range(of: c / groupSize)
        scales[c / groupSize] = rounding.scale(
          wished + c, count: group.count, importance: importance + c, choice: .search, isa: isa)
      }
      let scale = scales[c / groupSize]
      rounding.round(wished + c, count: 1, scale: scale, into: codes + c, isa: isa)
      let error = weights[c] - Float(codes[c]) * scale
      errors[c] = error
      let next = c + 1
      Vector.addScaled(
        upper + c * columns + next, by: error, count: inputs.upperBound - next, to: wished + next,
        isa: isa)
    }
  }
}
