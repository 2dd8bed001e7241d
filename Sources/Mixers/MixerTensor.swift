public import Kernels
public import TensorTypes

/// A tensor that a mixer has besides its projections.
public struct MixerTensor: Sendable {
  /// What it is.
  public var role: TensorAddress.Role
  public var parameter: TensorAddress.Parameter
  public var shape: Shape
  /// Whether its rows belong to heads, so that they are divided between ranks by heads.
  public var isByHead: Bool
  /// What a conversion that has no source for it begins with.
  public var initial: Initial

  /// A tensor of a mixer.
  public init(
    _ role: TensorAddress.Role, _ parameter: TensorAddress.Parameter = .weight, shape: Shape,
    isByHead: Bool = false, initial: Initial
  ) {
    self.role = role
    self.parameter = parameter
    self.shape = shape
    self.isByHead = isByHead
    self.initial = initial
  }

  /// First values.
  public enum Initial: Sendable {
    case constant(Double)
    /// Random ones within ± columns^-1/2.
    case uniform
  }

  /// What a tensor is called in our layout, behind `model.layers.N.attn.`.
  public struct Name: Sendable {
    public var name: String
    public var role: TensorAddress.Role
    public var parameter: TensorAddress.Parameter

    public init(
      _ name: String, _ role: TensorAddress.Role, _ parameter: TensorAddress.Parameter = .weight
    ) {
      self.name = name
      self.role = role
      self.parameter = parameter
    }
  }
}

/// Where a mixer's weights come from.
public protocol MixerTensors {
  /// The linear map whose weight has `role`, with a bias if it has one.
  func map(_ role: TensorAddress.Role, bias: Bool) throws -> any Projection
  /// A small tensor as f32 values.
  func vector(_ role: TensorAddress.Role) throws -> [Float]
  /// What happens to rotated queries, each head by itself; nil for nothing.
  var rotatedQuery: (@Sendable (FloatMatrix) -> FloatMatrix?)? { get }
}

/// A linear map y = x Wᵀ + b.
public protocol Projection: Sendable {
  /// Applies it to every row of `input` [T, in]; throws when the result is not finite.
  func callAsFunction(_ input: FloatMatrix) throws -> FloatMatrix
  /// W as f32 [out, in].
  var matrix: FloatMatrix { get }
  /// b [out]; nil without one.
  var bias: [Float]? { get }
}
