public import Checkpoints
import Kernels
import StrictJSON
import TensorTypes

extension PackPlan {
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
