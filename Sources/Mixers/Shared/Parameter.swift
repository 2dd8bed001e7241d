public import Kernels
public import TensorTypes

/// A trainable matrix with its gradient and optimiser state.
public final class Parameter {
  /// Which tensor of a layer it is.
  public let role: TensorAddress.Role
  public let kind: TensorAddress.Parameter
  /// The expert it belongs to.
  public let expert: TensorAddress.Expert?
  /// Its shape in a checkpoint: matrices have two dimensions, biases and norms one.
  public let shape: Shape
  /// The current value.
  public let value: FloatMatrix
  /// Learning rate relative to that of the projections.
  public let rate: Double
  /// Whether gradients are summed up; a frozen parameter ignores them and takes no memory for them.
  public var isTrained = true
  /// The sum of the gradients since the last step.
  public private(set) lazy var gradient = value.zeros
  /// The same where there is one: nil of a frozen parameter.
  public var gradientIfTrained: FloatMatrix? { isTrained ? gradient : nil }
  public private(set) lazy var optimiser = Adam(count: value.count)

  private init(
    _ role: TensorAddress.Role, _ kind: TensorAddress.Parameter,
    expert: TensorAddress.Expert? = nil, shape: Shape, _ value: FloatMatrix, rate: Double
  ) {
    self.role = role
    self.kind = kind
    self.expert = expert
    self.shape = shape
    self.value = value
    self.rate = rate
  }

  /// A weight matrix.
  public convenience init(
    _ role: TensorAddress.Role, _ map: any Projection, expert: TensorAddress.Expert? = nil,
    rate: Double = 1
  ) {
    let value = map.matrix
    self.init(
      role, .weight, expert: expert, shape: [value.rows, value.columns], value, rate: rate)
  }

  /// A bias or the weight of a norm; one for each head has two dimensions.
  public convenience init(
    _ role: TensorAddress.Role, _ kind: TensorAddress.Parameter, _ values: [Float],
    shape: Shape? = nil, rate: Double = 1
  ) {
    self.init(
      role, kind, shape: shape ?? [values.count], FloatMatrix(values, rows: 1), rate: rate)
  }

  /// How much faster gates and norms learn than projections: their gradients are small and a few
  /// numbers decide how long a head remembers.
  public static let normRate = 4.0

  /// Adam's beta2: trainings here take some hundred to some thousand steps, of which 0.999 would
  /// remember the first, largest gradients until the end.
  private static let secondMomentKept: Float = 0.99

  /// Adds the gradient of a weight [out, in] from that of its outputs [T, out] and its inputs
  /// [T, in].
  public func addGradient(outputs: FloatMatrix, inputs: FloatMatrix) {
    if isTrained { gradient.addTransposedProduct(outputs, inputs) }
  }

  /// Adds the gradient of a bias: the sum of the rows of that of its outputs [T, out].
  public func addGradient(outputs: FloatMatrix) {
    if isTrained { gradient.addColumnSums(of: outputs) }
  }

  /// One Adam step down the gradient, scaled by `scale`, and a gradient of zero again.
  public func step(learningRate: Double, gradientScale: Float) {
    optimiser.step(
      value, gradient: gradient, gradientFactor: gradientScale,
      settings: .init(learningRate: Float(learningRate * rate), beta2: Parameter.secondMomentKept))
    gradient.elements.update(repeating: 0)
  }

  /// Which tensor of a model it is.
  public func address(inLayer layer: Int) -> TensorAddress {
    TensorAddress(role, kind, layer: layer, expert: expert)
  }

  /// Sum of the squared gradient.
  public var squaredGradient: Double { gradient.squaredNorm }

  /// The value as a plain array.
  public var values: [Float] { value.values }
}

extension [Parameter] {
  /// One Adam step of all, their gradients clipped together.
  ///
  /// Returns false, and changes nothing, when a gradient is not finite.
  public func step(learningRate: Double, largestGradient: Double) -> Bool {
    let scale = Adam.clipFactor(
      sumOfSquares: reduce(0) { $0 + $1.squaredGradient }, limit: largestGradient)
    guard scale.isFinite else { return false }
    for parameter in self { parameter.step(learningRate: learningRate, gradientScale: scale) }
    return true
  }
}
