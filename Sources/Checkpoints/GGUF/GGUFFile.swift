public import TensorTypes

/// One GGUF file (version 2 or 3, little-endian), mapped, its metadata read and its tensors
/// checked.
///
/// Tensors are the raw stored blocks. Llama-architecture files hold q and k with their rows
/// permuted; whoever knows the architecture gives those views another `RowOrder`.
public struct GGUFFile: CheckpointReader {
  /// The first four bytes of the file.
  static let magic: [UInt8] = Array("GGUF".utf8)

  public let formatName = "gguf"
  public let tensors: [StoredTensor]
  /// The version of the format: 2 or 3.
  public let version: Int
  /// The key-value section.
  public let metadata: GGUFMetadata
  /// Tensor offsets are multiples of this many bytes.
  public let alignment: Int

  private let file: MappedFile
  private let indexOfName: [String: Int]

  public var files: [String] { [file.path] }

  /// Maps the file at `path`, reads its metadata and checks its tensor list; refuses one part of a
  /// model of several files, which `GGUFCheckpoint` reads.
  public init(path: String) throws(CheckpointError) {
    try self.init(part: path)
    if partCount > 1 { throw .splitFile(file: path, count: partCount) }
  }

  /// The same for a file that may be one part of several.
  package init(part path: String) throws(CheckpointError) {
    let file = try MappedFile.checkpoint(path)
    defer { withExtendedLifetime(file) {} }
    guard file.bytes.prefix(4).elementsEqual(GGUFFile.magic) else {
      throw .notGGUF(file: path, magic: Array(file.bytes.prefix(4)))
    }
    var cursor = GGUFCursor(bytes: file.bytes, file: path)
    let start = try Start(at: &cursor)
    self.metadata = start.metadata
    self.alignment = start.alignment
    self.tensors = try GGUFTensorParser.parse(
      count: start.tensorCount, alignment: alignment, at: &cursor)
    self.version = start.version
    self.file = file
    self.indexOfName = Dictionary(
      uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
  }

  /// What stands before the list of tensors.
  private struct Start {
    let version: Int
    let metadata: GGUFMetadata
    let alignment: Int
    let tensorCount: UInt64

    init(at cursor: inout GGUFCursor) throws(CheckpointError) {
      _ = try cursor.integer("magic", as: UInt32.self)
      let version = try cursor.integer("version", as: UInt32.self)
      guard version == 2 || version == 3 else {
        throw .ggufVersion(file: cursor.file, got: version)
      }
      self.version = Int(version)
      tensorCount = try cursor.integer("tensor count", as: UInt64.self)
      let keyCount = try cursor.integer("metadata key count", as: UInt64.self)
      metadata = try GGUFMetadataParser.parse(count: keyCount, at: &cursor)
      alignment = try GGUFTensorParser.alignment(metadata, file: cursor.file)
    }
  }

  /// Whether `bytes`, the first of a file, hold all of its header. Of what is no header that is true
  /// too: more bytes would not help.
  package static func holdsHeader(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { bytes in
      var cursor = GGUFCursor(bytes: bytes, file: "")
      do throws(CheckpointError) {
        let start = try Start(at: &cursor)
        try GGUFTensorParser.skip(
          count: start.tensorCount, alignment: start.alignment, at: &cursor)
      } catch {
        if case .truncated = error { return false }
      }
      return true
    }
  }

  /// Of how many files the model consists; 1 unless the file says otherwise.
  var partCount: Int { metadata.int(GGUFSplit.countKey) ?? 1 }

  public func tensor(named name: String) -> StoredTensor? {
    indexOfName[name].map { tensors[$0] }
  }

  public func view(_ name: String) throws(CheckpointError) -> TensorView {
    guard let tensor = tensor(named: name) else {
      throw .noSuchTensor(file: file.path, tensor: name)
    }
    return file.view(of: tensor)
  }
}
