/// Where a model's tensors come from: an opened checkpoint, or tensors made in memory.
///
/// The runtime knows weights only through this protocol; file formats stay outside of it.
public protocol WeightSource: Sendable {
  /// The tensor at `address`, seen in place.
  ///
  /// Throws when the tensor does not exist; shapes are the source's promise.
  func view(_ address: TensorAddress) throws -> TensorView

  /// What messages call the tensor at `address`: its name in a file where it has one.
  func name(of address: TensorAddress) -> String
}

extension WeightSource {
  /// `the layer 3 query weight`.
  public func name(of address: TensorAddress) -> String { "the \(address)" }
}
