public import Checkpoints

/// How one output tensor is made: a stream of bytes, a block at a time.
///
/// Adding a transform is one file with a type that conforms. The same transform both writes a
/// checkpoint and, later, proves that a file holds what it should.
public protocol TensorTransform: Sendable {
  /// What it does with all parameters that decide its bytes, as the manifest records it: transforms
  /// with equal records and sources give tensors of one shape and type equal bytes.
  var record: TransformRecord { get }
  /// Names of the source tensors it reads.
  var sources: [String] { get }
  /// Passes the tensor's bytes in order to `sink`, in blocks of about `block` bytes.
  func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws
}

extension TensorTransform {
  /// No source tensors.
  public var sources: [String] { [] }
}
