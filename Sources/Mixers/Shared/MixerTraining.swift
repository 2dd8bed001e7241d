public import Kernels

/// A value, and the function that takes its gradient back to what it was made from.
///
/// Parameters sum their gradients as a side effect. The gradient with respect to the input is added
/// to the second argument, when there is one.
public struct Traced {
  public let value: FloatMatrix
  public let pullback: (_ gradient: FloatMatrix, _ inputGradient: FloatMatrix?) -> Void

  public init(
    value: FloatMatrix,
    pullback: @escaping (_ gradient: FloatMatrix, _ inputGradient: FloatMatrix?) -> Void
  ) {
    self.value = value
    self.pullback = pullback
  }
}

/// A mixer with gradients.
///
/// Every call takes whole segments, each starting from nothing and beginning with the model's sinks,
/// if it has any: T = segments · (sinks + length).
public protocol MixerTraining {
  /// The parameters of this part.
  var parameters: [Parameter] { get }

  /// Mixes `heads`, which it may overwrite, to the features that o_proj reads [T, heads · d].
  ///
  /// The pullback takes the gradient of the features to that of the projections, and adds that of
  /// the layer's input x [T, H], for the part that does not come through the projections, to the
  /// second argument when there is one.
  func mix(_ heads: Projections, input: FloatMatrix, segments: Int) -> MixedHeads
}

/// The features of a mixer with their pullback.
public struct MixedHeads {
  public let features: FloatMatrix
  /// What linear attention gave to the features of a hybrid, where softmax attention gave the rest.
  public var linearPart: FloatMatrix?
  public let pullback: (_ gradient: FloatMatrix, _ inputGradient: FloatMatrix?) -> Projections

  public init(
    features: FloatMatrix, linearPart: FloatMatrix? = nil,
    pullback: @escaping (_ gradient: FloatMatrix, _ inputGradient: FloatMatrix?) -> Projections
  ) {
    self.features = features
    self.linearPart = linearPart
    self.pullback = pullback
  }
}
