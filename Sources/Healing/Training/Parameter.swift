import Communication
import Kernels
import Runtime
import Streams
import TensorTypes

/// A trainable matrix with its gradient and optimiser state.
final class Parameter {
  /// Which tensor of a layer it is.
  let role: TensorAddress.Role
  let kind: TensorAddress.Parameter
  /// The expert it belongs to.
  let expert: TensorAddress.Expert?
  /// Its shape in a checkpoint: matrices have two dimensions, biases and norms one.
  let shape: Shape
  /// The current value.
  let value: FloatMatrix
  /// Learning rate relative to that of the projections.
  let rate: Double
  /// Whether gradients are summed up; a frozen parameter ignores them and takes no memory for them.
  var isTrained = true
  /// The sum of the gradients since the last step.
  private(set) lazy var gradient = value.zeros
  private(set) lazy var optimiser = Adam(count: value.count)

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
  convenience init(
    _ role: TensorAddress.Role, _ map: LinearMap, expert: TensorAddress.Expert? = nil,
    rate: Double = 1
  ) {
    let value = map.matrix
    self.init(
      role, .weight, expert: expert, shape: [value.rows, value.columns], value, rate: rate)
  }

  /// A bias or the weight of a norm; one for each head has two dimensions.
  convenience init(
    _ role: TensorAddress.Role, _ kind: TensorAddress.Parameter, _ values: [Float],
    shape: Shape? = nil, rate: Double = 1
  ) {
    self.init(
      role, kind, shape: shape ?? [values.count], FloatMatrix(values, rows: 1), rate: rate)
  }

  /// How much faster gates and norms learn than projections: their gradients are small and a few
  /// numbers decide how long a head remembers.
  static let normRate = 4.0

  /// Adds the gradient of a weight [out, in] from that of its outputs [T, out] and its inputs
  /// [T, in].
  func addGradient(outputs: FloatMatrix, inputs: FloatMatrix) {
    if isTrained { gradient.addTransposedProduct(outputs, inputs) }
  }

  /// Adds the gradient of a bias: the sum of the rows of that of its outputs [T, out].
  func addGradient(outputs: FloatMatrix) {
    if isTrained { gradient.addColumnSums(of: outputs) }
  }

  /// One Adam step down the gradient, scaled by `scale`, and a gradient of zero again.
  func step(learningRate: Double, gradientScale: Float) {
    withExtendedLifetime((value, gradient)) {
      optimiser.step(
        value.pointer, gradient: gradient.pointer, gradientFactor: gradientScale,
        settings: .init(learningRate: Float(learningRate * rate)))
    }
    gradient.elements.update(repeating: 0)
  }

  /// Which tensor of a model it is.
  func address(inLayer layer: Int) -> TensorAddress {
    TensorAddress(role, kind, layer: layer, expert: expert)
  }

  /// Sum of the squared gradient.
  var squaredGradient: Double { gradient.squaredNorm }

  /// The value as a plain array.
  var values: [Float] { withExtendedLifetime(value) { Array(value.elements) } }
}

extension [Parameter] {
  /// One Adam step of all, their gradients clipped together.
  ///
  /// Returns false, and changes nothing, when a gradient is not finite.
  func step(learningRate: Double, largestGradient: Double) -> Bool {
    let scale = Adam.clipFactor(
      sumOfSquares: reduce(0) { $0 + $1.squaredGradient }, limit: largestGradient)
    guard scale.isFinite else { return false }
    for parameter in self { parameter.step(learningRate: learningRate, gradientScale: scale) }
    return true
  }

  /// Makes every gradient the sum over all ranks.
  func sumGradients(over ranks: Communicator) throws {
    for parameter in self {
      try withExtendedLifetime(parameter.gradient) { try ranks.sum($0.elements) }
    }
  }

  /// Gives all ranks the values of the first: unlike processors may round otherwise.
  func equalise(over ranks: Communicator) throws {
    for parameter in self {
      try withExtendedLifetime(parameter.value) { try ranks.broadcast($0.elements) }
    }
  }

  /// The values as tensors of layer `layer`.
  func tensors(ofLayer layer: Int) -> LayerTensors {
    let views = map {
      ($0.address(inLayer: layer), MemoryStorage.view($0.values, shape: $0.shape))
    }
    return LayerTensors(Dictionary(uniqueKeysWithValues: views))
  }
}

extension FloatMatrix {
  /// A matrix of the given values.
  convenience init(_ values: [Float], rows: Int) {
    self.init(rows: rows, columns: values.count / max(rows, 1))
    for (index, value) in values.enumerated() { pointer[index] = value }
  }
}

extension LinearMap {
  /// The weight as f32 [out, in].
  var matrix: FloatMatrix {
    let matrix = FloatMatrix(rows: weight.shape.rows, columns: weight.shape.columns)
    withExtendedLifetime(matrix) {
      RowDecoder.decode(weight, rows: 0..<weight.shape.rows, into: matrix.pointer)
    }
    return matrix
  }
}
