/// Where a model's tensors come from: an opened checkpoint, or tensors made in memory.
///
/// The runtime knows weights only through this protocol; file formats stay outside of it.
public protocol WeightSource: Sendable {
  /// The tensor at `address`, seen in place.
  ///
  /// Throws when the tensor does not exist; shapes are the source's promise.
  func view(_ address: TensorAddress) throws -> TensorView
}
