public import Kernels
public import TensorTypes

/// A tensor that a mixer has besides its projections.
public struct MixerTensor: Sendable, Hashable {
  /// What it is.
  public var role: TensorAddress.Role
  public var parameter: TensorAddress.Parameter
  public var shape: Shape
  /// Whether its rows belong to heads, so that they are divided between ranks by heads.
  public var isByHead: Bool
  /// What a conversion that has no source for it begins with.
  public var initial: Initial
  /// What its numbers count as where parameters are counted: `decay gates`. Biases count as biases.
  public var part: String
  /// The name under which a configuration gives the k by which the input of this map is spiked; nil
  /// where it never is.
  public var spikingKey: String?

  /// A tensor of a mixer.
  public init(
    _ role: TensorAddress.Role, _ parameter: TensorAddress.Parameter = .weight, shape: Shape,
    isByHead: Bool = false, initial: Initial, part: String = MixerTensor.norms,
    spikingKey: String? = nil
  ) {
    self.role = role
    self.parameter = parameter
    self.shape = shape
    self.isByHead = isByHead
    self.initial = initial
    self.part = part
    self.spikingKey = spikingKey
  }

  /// The part of weights that multiply what was normalised.
  public static let norms = "norms"

  /// Whether it is the matrix of a linear map.
  public var isMap: Bool {
    parameter == .weight && shape.dimensions.count == 2 && part != Self.norms
  }

  /// Whether nothing but zeros is what it starts as, and not what is left of a lost one.
  public var startsAtZero: Bool { initial == .constant(0) }

  /// What it is called in our layout; nil for a tensor that the names of its form lack.
  public var name: String? {
    Mixer.names.first { $0.role == role && $0.parameter == parameter }?.name
  }

  /// First values.
  public enum Initial: Sendable, Hashable {
    case constant(Double)
    /// Random ones within ± columns^-1/2.
    case uniform
    /// What a conversion is told.
    case setting(Setting)
  }

  /// Settings of a conversion that first values are.
  public enum Setting: Sendable, Hashable, CaseIterable {
    /// The bias of decay gates.
    case gateBias
    /// The weight of the norms that merge branches.
    case branchNormWeight
    /// The factors of the branches [2].
    case branchScale
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
  /// The linear map whose weight has `role`; throws where there is none.
  ///
  /// - Parameter bias: whether it has a bias, which then has to be there too.
  func map(_ role: TensorAddress.Role, bias: Bool) throws -> any Projection
  /// The weight of `role`, a small tensor, as f32 values.
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
