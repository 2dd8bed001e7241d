extension FloatMatrix {
  /// Adds another matrix of the same size.
  public func add(_ other: FloatMatrix) {
    requireSize(of: other)
    withExtendedLifetime((self, other)) { Vector.add(other.pointer, count: count, to: pointer) }
  }

  /// Adds `factor` times a matrix of the same size.
  public func add(_ other: FloatMatrix, times factor: Float) {
    requireSize(of: other)
    withExtendedLifetime((self, other)) {
      Vector.addScaled(other.pointer, by: factor, count: count, to: pointer)
    }
  }

  /// Adds a row [columns] to every row.
  public func addToRows(_ row: [Float]) {
    precondition(row.count == columns)
    let isa = Execution.isa
    withExtendedLifetime(self) {
      for index in 0..<rows { Vector.add(row, count: columns, to: self.row(index), isa: isa) }
    }
  }

  /// Subtracts a · b, elementwise.
  public func subtractProduct(_ a: FloatMatrix, _ b: FloatMatrix) {
    requireSize(of: a)
    requireSize(of: b)
    withExtendedLifetime((self, a, b)) {
      for index in 0..<count { pointer[index] -= a.pointer[index] * b.pointer[index] }
    }
  }

  /// Multiplies every element by `factor`, in float32; 1 changes nothing.
  public func scale(by factor: Double) {
    guard factor != 1 else { return }
    let factor = Float(factor)
    withExtendedLifetime(self) { for index in 0..<count { pointer[index] *= factor } }
  }

  /// Multiplies each row by a number of its own.
  public func scaleRows(by factors: [Float]) {
    precondition(factors.count == rows)
    for (row, factor) in factors.enumerated() {
      for column in 0..<columns { self[row][column] *= factor }
    }
  }

  /// max(x, 0) in place.
  public func rectify() {
    withExtendedLifetime(self) { Vector.reluInPlace(pointer, count: count) }
  }

  /// Zero wherever `activation` is not positive: the gradient of a ReLU.
  public func maskWhereZero(_ activation: FloatMatrix) {
    requireSize(of: activation)
    withExtendedLifetime((self, activation)) {
      Vector.reluBackward(
        activation.pointer, outputGradient: pointer, count: count, into: pointer)
    }
  }

  /// 1 / (1 + exp(-x)) in place.
  public func becomeSigmoid() {
    withExtendedLifetime(self) { Sigmoid.applyInPlace(pointer, count: count) }
  }

  /// The gradient of sigmoids becomes that of their logits.
  public func becomeSigmoidGradient(of sigmoids: FloatMatrix) {
    requireSize(of: sigmoids)
    withExtendedLifetime((self, sigmoids)) {
      for index in 0..<count {
        pointer[index] *= sigmoids.pointer[index] * (1 - sigmoids.pointer[index])
      }
    }
  }

  /// Gate logits become log-decays, see `DecayGate`.
  public func becomeLogDecay(normalizer: Float = 16) {
    withExtendedLifetime(self) {
      DecayGate.logDecayInPlace(pointer, count: count, normalizer: normalizer)
    }
  }

  /// The gradient of log-decays becomes that of their logits.
  public func becomeLogitGradient(logits: FloatMatrix) {
    requireSize(of: logits)
    withExtendedLifetime((self, logits)) {
      DecayGate.backward(
        logits: logits.pointer, logDecayGradient: pointer, count: count, into: pointer)
    }
  }

  /// silu(self) · up, in place.
  public func gateUp(_ up: FloatMatrix) {
    requireSize(of: up)
    withExtendedLifetime((self, up)) {
      SwiGLU.apply(gate: pointer, up: up.pointer, count: count, into: pointer)
    }
  }

  /// gelu(self) · up, in place; by its approximation with tanh if asked.
  public func gateUpByGELU(_ up: FloatMatrix, tanh: Bool) {
    requireSize(of: up)
    let apply = tanh ? GatedActivation.geluTanh : GatedActivation.gelu
    withExtendedLifetime((self, up)) { apply(pointer, up.pointer, count, pointer) }
  }

  /// Gradients of silu(self) · up, for the gate and for `up`; the latter may take the place of
  /// `gradient`.
  public func gateUpBackward(
    _ up: FloatMatrix, gradient: FloatMatrix, into gateGradient: FloatMatrix,
    up upGradient: FloatMatrix
  ) {
    for other in [up, gradient, gateGradient, upGradient] { requireSize(of: other) }
    withExtendedLifetime((self, up, gradient, gateGradient, upGradient)) {
      SwiGLU.backward(
        gate: pointer, up: up.pointer, outputGradient: gradient.pointer, count: count,
        gateGradient: gateGradient.pointer, upGradient: upGradient.pointer)
    }
  }

  /// The same of gelu(self) · up, or of its approximation with tanh.
  public func gateUpByGELUBackward(
    _ up: FloatMatrix, tanh: Bool, gradient: FloatMatrix, into gateGradient: FloatMatrix,
    up upGradient: FloatMatrix
  ) {
    for other in [up, gradient, gateGradient, upGradient] { requireSize(of: other) }
    withExtendedLifetime((self, up, gradient, gateGradient, upGradient)) {
      GatedActivation.geluBackward(
        gate: pointer, up: up.pointer, outputGradient: gradient.pointer, count: count, tanh: tanh,
        gateGradient: gateGradient.pointer, upGradient: upGradient.pointer)
    }
  }

  /// cap · tanh(x / cap) in place.
  public func softCap(_ cap: Double) {
    withExtendedLifetime(self) { SoftCap.applyInPlace(pointer, count: count, cap: cap) }
  }

  /// This gradient of `capped`, what `softCap` gave, becomes that of what it was given.
  public func becomeSoftCapGradient(of capped: FloatMatrix, cap: Double) {
    requireSize(of: capped)
    withExtendedLifetime((self, capped)) {
      SoftCap.backwardInPlace(pointer, capped: capped.pointer, count: count, cap: cap)
    }
  }

  /// The softmax of every row, in place.
  public func becomeSoftmax() {
    withExtendedLifetime(self) { Softmax.applyInPlace(pointer, rows: rows, count: columns) }
  }

  /// log(sum(exp(x))) of one row, summed in float64.
  public func logSumExp(ofRow row: Int) -> Double {
    withExtendedLifetime(self) { Softmax.logSumExp(self.row(row), count: columns) }
  }

  /// The column of the largest element of one row, the first of equal ones.
  public func argmax(ofRow row: Int) -> Int {
    withExtendedLifetime(self) { Vector.argmax(self.row(row), count: columns) }
  }

  /// The sum of the squares of all elements, in float64.
  public var squaredNorm: Double {
    withExtendedLifetime(self) { Vector.sumOfSquares(pointer, count: count) }
  }

  /// The index of the first element that is NaN or infinite, or whose magnitude is `limit` or more; nil
  /// when there is none.
  public func firstNotFinite(below limit: Float = .infinity) -> Int? {
    withExtendedLifetime(self) { Vector.firstNotFinite(pointer, count: count, below: limit) }
  }
}
