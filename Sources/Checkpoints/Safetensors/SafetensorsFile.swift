import StrictJSON
public import TensorTypes

/// One safetensors file, mapped, its header checked as strictly as the reference library does.
///
/// Layout: a little-endian u64 with the header's length, the header (JSON, starting with `{`,
/// padded with spaces), and the tensors' bytes without gap or overlap up to the end of the file.
public struct SafetensorsFile: ShardFile {
  public static let singleName = "model.safetensors"

  /// The longest header that is read, in bytes: room for 100,000 tensors in one file. It bounds
  /// the memory a hostile file can make a reader allocate, which is some twenty times as much.
  public static let headerLimit = 16_000_000

  public let formatName = "safetensors"
  public let tensors: [StoredTensor]
  /// The header's `__metadata__`.
  public let metadata: [String: String]
  /// The length of the header in bytes, without the eight bytes that hold this length.
  public let headerBytes: Int

  private let file: MappedFile
  private let indexOfName: [ExactKey: Int]

  public var files: [String] { [file.path] }

  /// Maps the file at `path` and checks all of its header.
  public init(path: String) throws(CheckpointError) {
    try self.init(file: .checkpoint(path))
  }

  /// Checks all of the header of `file`.
  package init(file: MappedFile) throws(CheckpointError) {
    let bytes = file.bytes
    guard bytes.count >= 8 else {
      throw .truncated(file: file.path, part: "header length", expected: 8, got: bytes.count)
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(SafetensorsFile.headerLimit) else {
      throw .limitExceeded(
        file: file.path, quantity: "header length", limit: SafetensorsFile.headerLimit, got: length)
    }
    let dataStart = 8 + Int(length)
    guard dataStart <= bytes.count else {
      throw .truncated(file: file.path, part: "header", expected: dataStart, got: bytes.count)
    }
    let header = try SafetensorsHeaderParser.parse(
      UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart]), dataStart: dataStart,
      fileBytes: bytes.count, file: file.path)
    self.file = file
    self.headerBytes = Int(length)
    self.tensors = header.tensors
    self.metadata = header.metadata
    self.indexOfName = Dictionary(
      uniqueKeysWithValues: header.tensors.enumerated().map { (ExactKey(text: $1.name), $0) })
  }

  public func tensor(named name: String) -> StoredTensor? {
    indexOfName[ExactKey(text: name)].map { tensors[$0] }
  }

  public func view(_ name: String) throws(CheckpointError) -> TensorView {
    guard let tensor = tensor(named: name) else {
      throw .noSuchTensor(file: file.path, tensor: name)
    }
    return file.view(of: tensor)
  }
}
