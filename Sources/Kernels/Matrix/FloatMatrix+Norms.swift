extension FloatMatrix {
  /// RMSNorm of every row.
  public func normalizeRows(by weight: [Float], epsilon: Double, into output: FloatMatrix) {
    precondition(weight.count == columns)
    requireSize(of: output)
    withExtendedLifetime((self, output)) {
      RMSNorm.apply(
        pointer, rows: rows, count: columns, weight: weight, epsilon: Float(epsilon),
        into: output.pointer)
    }
  }

  /// RMSNorm of every run of elements, in place.
  ///
  /// - Parameter heads: how many weights of as many runs in turn `weight` holds [heads, d].
  public func normalizeHeads(by weight: [Float], heads: Int = 1, epsilon: Double) {
    let run = weight.count / heads
    precondition(columns % weight.count == 0)
    withExtendedLifetime(self) {
      RMSNorm.apply(
        pointer, rows: count / run, count: run, weight: weight, weightRows: heads,
        epsilon: Float(epsilon), into: pointer)
    }
  }

  /// The gradient of norms of this matrix, one per run of `weight.count` / `heads` elements; adds
  /// that of their weight.
  ///
  /// - Parameter heads: as in `normalizeHeads`.
  public func normBackward(
    weight: [Float], heads: Int = 1, epsilon: Double, gradient: FloatMatrix,
    into output: FloatMatrix, weightGradient: FloatMatrix?
  ) {
    requireSize(of: gradient)
    requireSize(of: output)
    precondition(weightGradient.map { $0.count == weight.count } ?? true)
    withExtendedLifetime((self, gradient, output, weightGradient)) {
      RMSNorm.backward(
        pointer, outputGradient: gradient.pointer, rows: count / weight.count * heads,
        count: weight.count / heads, weight: weight, weightRows: heads, epsilon: Float(epsilon),
        inputGradient: output.pointer, addingWeightGradient: weightGradient?.pointer)
    }
  }
}
