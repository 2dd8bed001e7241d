public import TensorTypes

/// A tensor as a file stores it: where its bytes are and how to read them.
public struct StoredTensor: Sendable, Hashable {
  /// The name in the file.
  public var name: String
  /// The stored element type.
  public var type: ScalarType
  /// The shape, slowest dimension first.
  public var shape: Shape
  /// The path of the file.
  public var file: String
  /// The first byte, counted from the start of the file.
  public var offset: Int
  /// The number of bytes.
  public var byteCount: Int

  /// A tensor of `byteCount` bytes at `offset` of `file`.
  public init(
    name: String, type: ScalarType, shape: Shape, file: String, offset: Int, byteCount: Int
  ) {
    self.name = name
    self.type = type
    self.shape = shape
    self.file = file
    self.offset = offset
    self.byteCount = byteCount
  }

  /// The offset just past the last byte.
  public var end: Int { offset + byteCount }

  /// What tensors are ordered by.
  var order: (file: String, offset: Int, name: String) { (file, offset, name) }
}

/// An open checkpoint of any format: the list of its tensors, and lazy views of their bytes.
///
/// Everything a header says was checked when the checkpoint was opened, so a view cannot reach
/// outside its file.
public protocol CheckpointReader: Sendable {
  /// The format as printed to users, for example `safetensors`.
  var formatName: String { get }
  /// The paths of the tensor files, in order.
  var files: [String] { get }
  /// All tensors, ordered by file, then by offset, then by name.
  var tensors: [StoredTensor] { get }
  /// What the user should know of how the files were read: one sentence each.
  var notes: [String] { get }
  /// The tensor called `name`, or nil.
  func tensor(named name: String) -> StoredTensor?
  /// The stored bytes of the tensor called `name`, in place.
  func view(_ name: String) throws(CheckpointError) -> TensorView
  /// The same as rows one after the other, for formats that hold a tensor in several parts: each
  /// part is a matrix, in place where that is possible.
  func parts(_ name: String) throws(CheckpointError) -> [TensorView]
}

extension CheckpointReader {
  /// Nothing.
  public var notes: [String] { [] }

  /// One part: the tensor.
  public func parts(_ name: String) throws(CheckpointError) -> [TensorView] { [try view(name)] }
}

extension MappedFile {
  /// A view of `tensor`, which must have been validated against this file.
  func view(of tensor: StoredTensor) -> TensorView {
    TensorView(
      bytes: UnsafeRawBufferPointer(rebasing: bytes[tensor.offset..<tensor.end]),
      type: tensor.type, shape: tensor.shape, storage: self)
  }
}
