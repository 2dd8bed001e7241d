public import StrictJSON
public import TensorTypes

/// How one output tensor is made: a stream of bytes, a block at a time.
///
/// Adding a transform is one file with a type that conforms. The same transform both writes a
/// checkpoint and, later, proves that a file holds what it should.
public protocol TensorTransform: Sendable {
  /// The name in the manifest, for example `copy`.
  var name: String { get }
  /// Names of the source tensors it reads.
  var sources: [String] { get }
  /// What else determines its output, for the manifest.
  var parameters: JSONObject { get }
  /// Passes the tensor's bytes in order to `sink`, in blocks of about `block` bytes.
  func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws
}

extension TensorTransform {
  /// No source tensors.
  public var sources: [String] { [] }
  /// No parameters.
  public var parameters: JSONObject { JSONObject() }
}
