extension FloatMatrix {
  /// a · bᵀ: [m, k] and [n, k] give [m, n].
  public static func product(_ a: FloatMatrix, transposed b: FloatMatrix) -> FloatMatrix {
    let c = FloatMatrix(rows: a.rows, columns: b.rows)
    c.multiply(.transposedRight, a, b, depth: a.columns, b.columns)
    return c
  }

  /// a · b: [m, k] and [k, n] give [m, n].
  public static func product(_ a: FloatMatrix, _ b: FloatMatrix) -> FloatMatrix {
    let c = FloatMatrix(rows: a.rows, columns: b.columns)
    c.multiply(.plain, a, b, depth: a.columns, b.rows)
    return c
  }

  /// Adds aᵀ · b: the gradient of a weight from those of its outputs and its inputs.
  public func addTransposedProduct(_ a: FloatMatrix, _ b: FloatMatrix) {
    multiply(.transposedLeft, a, b, depth: a.rows, b.rows, adding: true)
  }

  /// Adds a · b: the gradient of inputs from that of the outputs and the weight.
  public func addProduct(_ a: FloatMatrix, _ b: FloatMatrix) {
    multiply(.plain, a, b, depth: a.columns, b.rows, adding: true)
  }

  /// This matrix becomes, or is added, a product of two stored as `form` says.
  private func multiply(
    _ form: MatrixProduct.Form, _ a: FloatMatrix, _ b: FloatMatrix, depth: Int, _ other: Int,
    adding: Bool = false
  ) {
    precondition(depth == other && a.count == rows * depth && b.count == columns * depth)
    withExtendedLifetime((self, a, b)) {
      MatrixProduct.multiply(
        form, a.pointer, b.pointer, m: rows, n: columns, k: depth, adding: adding, into: pointer)
    }
  }

  /// Adds the sum of the rows of `matrix`: the gradient of a bias.
  public func addColumnSums(of matrix: FloatMatrix) {
    precondition(count == matrix.columns)
    withExtendedLifetime((self, matrix)) {
      Vector.addColumnSums(
        matrix.pointer, rows: matrix.rows, columns: matrix.columns, to: pointer)
    }
  }
}

extension Gram {
  /// Adds the rows of `features` [T, features] and `targets` [T, targets], each with its weight.
  public func add(_ features: FloatMatrix, _ targets: FloatMatrix, weights: [Float]) {
    precondition(features.columns == self.features && targets.columns == self.targets)
    precondition(targets.rows == features.rows && weights.count == features.rows)
    withExtendedLifetime((features, targets)) {
      add(features.pointer, targets: targets.pointer, weights: weights, rows: features.rows)
    }
  }

  /// Adds the rows of `features` alone.
  public func add(_ features: FloatMatrix) {
    precondition(features.columns == self.features)
    withExtendedLifetime(features) { add(features.pointer, rows: features.rows) }
  }

  /// The ridge solution W [targets, features], see `solve`; nil when the sums do not determine one.
  public func solution(ridge: Double, towards prior: FloatMatrix) -> FloatMatrix? {
    let weight = FloatMatrix(rows: targets, columns: features)
    prior.requireSize(of: weight)
    return withExtendedLifetime((prior, weight)) {
      do {
        try solve(ridge: ridge, prior: prior.pointer, into: weight.pointer)
        return weight
      } catch {
        return nil
      }
    }
  }

  /// The weighted squared error of `weight` [targets, features] on these sums.
  public func squaredError(of weight: FloatMatrix) -> Double {
    precondition(weight.rows == targets && weight.columns == features)
    return withExtendedLifetime(weight) { squaredError(of: UnsafePointer(weight.pointer)) }
  }

  /// The sum over tokens of |W φ|² for `weight` [rows, features].
  public func power(of weight: FloatMatrix) -> Double {
    precondition(weight.columns == features)
    return withExtendedLifetime(weight) {
      power(of: UnsafePointer(weight.pointer), rows: weight.rows)
    }
  }
}
