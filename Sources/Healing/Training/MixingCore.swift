import Runtime

/// A value, and the function that takes its gradient back to what it was made from.
///
/// Parameters sum their gradients as a side effect. The gradient with respect to the input is added
/// to the second argument, when there is one.
struct Traced {
  let value: FloatMatrix
  let pullback: (_ gradient: FloatMatrix, _ inputGradient: FloatMatrix?) -> Void
}

/// What q, k and v projections give, or its gradient: [T, heads·d], [T, kv·d], [T, kv·d].
struct Projections {
  var query: FloatMatrix
  var key: FloatMatrix
  var value: FloatMatrix
}

/// What happens between the projections of an attention layer and its o_proj.
///
/// Every call takes whole segments, each starting from nothing and beginning with the model's sinks,
/// if it has any: T = segments · (sinks + length).
protocol MixingCore {
  /// The parameters of this part.
  var parameters: [Parameter] { get }

  /// Mixes `projections`, which it may overwrite, to the features that o_proj reads [T, heads·d].
  ///
  /// The pullback takes the gradient of the features to that of the projections, and adds that of
  /// the layer's input x [T, H], for the part that does not come through the projections, to the
  /// second argument when there is one.
  func mix(_ projections: Projections, input: FloatMatrix, segments: Int) -> MixedHeads
}

/// The features of a mixing core with their pullback.
struct MixedHeads {
  let features: FloatMatrix
  /// What linear attention gave to the features, when softmax attention gave the rest.
  var linearPart: FloatMatrix?
  let pullback: (_ gradient: FloatMatrix, _ inputGradient: FloatMatrix?) -> Projections
}
