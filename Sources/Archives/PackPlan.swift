public import Checkpoints
import Kernels
import StrictJSON
import TensorTypes

/// The files of a directory and how an archive of them is cut, found without reading their data.
public struct PackPlan: Sendable {
  /// The directory.
  public let directory: String
  let files: [File]

  /// A file to be packed.
  struct File: Sendable {
    var name: String
    /// The bytes; nil for an empty file.
    var map: MappedFile?
    var parts: [ArchiveIndex.Part]
  }

  /// The bytes of all files.
  public var bytes: Int { files.reduce(0) { $0 + ($1.map?.bytes.count ?? 0) } }
  /// How many files there are.
  public var fileCount: Int { files.count }
  /// How many tensors can be extracted one by one.
  public var tensorCount: Int {
    files.reduce(0) { $0 + $1.parts.count { $0.tensor != nil } }
  }

  /// Plans an archive of all files below `directory`. Symbolic links, devices and directories that
  /// an interrupted run left behind are refused.
  public init(directory: String) throws(CheckpointError) {
    self.directory = directory
    var files: [File] = []
    for name in try FileStatus.regularFiles(below: directory) {
      guard OutputDirectory.accepts(name) else {
        throw .invalidFileName(file: directory, name: name)
      }
      let path = RelativeName.join(directory, name)
      guard FileStatus.size(path) != 0 else {
        files.append(File(name: name, map: nil, parts: []))
        continue
      }
      let map = try MappedFile(path: path)
      files.append(File(name: name, map: map, parts: PackPlan.parts(of: map)))
    }
    self.files = files
  }

  /// The header and the tensors of a sound safetensors file; any other file is one part.
  private static func parts(of map: MappedFile) -> [ArchiveIndex.Part] {
    guard map.path.hasSuffix(".safetensors"), let file = try? SafetensorsFile(file: map) else {
      return [ArchiveIndex.Part(bytes: map.bytes.count)]
    }
    return [ArchiveIndex.Part(bytes: 8 + file.headerBytes)]
      + file.tensors.map { tensor in
        ArchiveIndex.Part(
          bytes: tensor.byteCount, planes: planes(for: tensor.type),
          tensor: ArchiveIndex.Tensor(name: tensor.name, type: tensor.type, shape: tensor.shape))
      }
  }

  private static func planes(for type: ScalarType) -> BytePlanes {
    switch type {
    case .bfloat16, .float16: .two
    case .float32: .four
    default: .one
    }
  }

  /// What was written.
  public struct Result: Sendable {
    /// The size of the archive.
    public var bytes: Int
    /// The number of its frames, the index included.
    public var frames: Int
  }

  /// Writes the archive `path`, which appears when it is complete.
  ///
  /// - Parameters:
  ///   - force: replace an existing file.
  ///   - memory: bytes that may be used, approximately.
  ///   - progress: told how many bytes of the directory are done.
  public func write(
    to path: String, force: Bool, memory: Int, progress: (Int) -> Void = { _ in }
  ) throws -> Result {
    try checkOutput(path, force: force)
    let archive = try AtomicFile(
      path: path, force: force, inputs: files.compactMap(\.map?.path))
    let pipeline = FramePipeline(
      slotBytes: FrameEncoder.bound(ArchiveIndex.frameBytes), memory: memory,
      makeWorker: FrameEncoder.init)
    var index = ArchiveIndex(files: [])
    var table = SeekTable()
    var done = 0
    for file in files {
      var hash = SHA256()
      try pack(file, through: pipeline) { piece, source, packed in
        try archive.write(packed)
        table.append(packed: packed.count, bytes: source.count)
        hash.update(source)
        file.map?.discard(source)
        done += source.count
        progress(done)
      }
      let record = FileRecord(
        name: file.name, bytes: file.map?.bytes.count ?? 0, sha256: hash.finish())
      index.files.append(ArchiveIndex.File(record: record, parts: file.parts))
    }
    try append(index, to: archive, &table)
    try archive.commit()
    return Result(bytes: archive.bytesWritten, frames: table.frames.count)
  }

  /// Refuses an output that exists, or that lies in the directory that is packed.
  public func checkOutput(_ path: String, force: Bool) throws(CheckpointError) {
    guard !FileStatus.contains(directory, RelativeName.directory(path)) else {
      throw .outputNotReplaceable(path: path, reason: "it lies in the directory that is packed")
    }
    try AtomicFile.checkReplaceable(path, force: force, inputs: files.compactMap(\.map?.path))
  }

  private func pack(
    _ file: File, through pipeline: FramePipeline<FrameEncoder>,
    deliver: (ArchiveIndex.Piece, UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Void
  ) throws {
    guard let bytes = file.map?.bytes else { return }
    let pieces = file.parts.pieces
    func source(_ piece: ArchiveIndex.Piece) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: bytes[piece.range])
    }
    try pipeline.run(pieces.count) { frame, encoder, output in
      let part = pieces[frame].part
      return encoder.encode(
        source(pieces[frame]), planes: part.planes, method: part.method, into: output)
    } deliver: { frame, packed in
      try deliver(pieces[frame], source(pieces[frame]), packed)
    }
  }

  /// Ends the archive: the index in a frame of its own, and the seek table.
  private func append(
    _ index: ArchiveIndex, to archive: AtomicFile, _ table: inout SeekTable
  ) throws(CheckpointError) {
    let text = Array(index.json.compact.utf8)
    guard text.count <= ArchiveIndex.byteLimit else {
      throw .limitExceeded(
        file: directory, quantity: "size of the index", limit: ArchiveIndex.byteLimit,
        got: UInt64(text.count))
    }
    var frame = [UInt8](repeating: 0, count: FrameEncoder.bound(text.count))
    let size = text.withUnsafeBytes { text in
      frame.withUnsafeMutableBytes { frame in
        FrameEncoder().encode(text, planes: .one, method: .repetitions, into: frame)
      }
    }
    try archive.write(Array(frame[..<size]))
    table.append(packed: size, bytes: text.count)
    guard let encoded = table.encoded else {
      throw .limitExceeded(
        file: directory, quantity: "number of frames", limit: Int(UInt32.max) / 8,
        got: UInt64(table.frames.count))
    }
    try archive.write(encoded)
  }
}

extension ArchiveIndex.Part {
  /// Weights and codes are coded by frequency; whatever else there is may repeat itself.
  fileprivate var method: FrameEncoder.Method {
    switch tensor?.type {
    case .float16, .bfloat16, .float32, .int8, .uint8: .frequencies
    default: .repetitions
    }
  }
}
