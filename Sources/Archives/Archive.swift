public import Checkpoints
import Kernels
import StrictJSON

/// An open archive, its index checked against its seek table; of its frames only the index was read.
public struct Archive: Sendable {
  /// The path of the file.
  public let path: String
  /// What it holds.
  public let index: ArchiveIndex

  /// The digest of the index, which holds those of all files.
  let digest: SHA256Digest
  let map: MappedFile
  let frames: [SeekTable.Frame]
  /// The number of each file's first frame.
  let firstFrames: [Int]

  /// Maps the archive at `path` and checks everything that it says about itself.
  public init(path: String) throws(CheckpointError) {
    let map = try MappedFile.checkpoint(path)
    let table = try SeekTable(map.bytes, file: path)
    guard let last = table.frames.last else {
      throw .malformed(file: path, format: "archive", offset: 0, reason: "it has no index")
    }
    let text = try Archive.text(of: last, in: map)
    self.path = path
    self.map = map
    digest = SHA256.hash(text)
    index = try ArchiveIndex(Archive.parse(text, path), archive: path)
    frames = table.frames.dropLast()
    firstFrames = try Archive.place(index, in: frames, archive: path)
  }

  /// The size of the archive in bytes.
  public var packedBytes: Int { map.bytes.count }

  private static func text(
    of frame: SeekTable.Frame, in map: MappedFile
  ) throws(CheckpointError) -> [UInt8] {
    guard frame.bytes <= ArchiveIndex.byteLimit else {
      throw .limitExceeded(
        file: map.path, quantity: "size of the index", limit: ArchiveIndex.byteLimit,
        got: UInt64(frame.bytes))
    }
    let text = UnsafeMutableRawBufferPointer.allocate(byteCount: frame.bytes, alignment: 1)
    defer { text.deallocate() }
    do throws(FrameDecoder.Damage) {
      try FrameDecoder().decode(
        UnsafeRawBufferPointer(rebasing: map.bytes[frame.range]), planes: .one, into: text)
    } catch {
      throw .malformed(
        file: map.path, format: "archive", offset: frame.offset, reason: "index: \(error.reason)")
    }
    return Array(text)
  }

  private static func parse(_ text: [UInt8], _ path: String) throws(CheckpointError) -> JSONValue {
    do throws(JSONError) {
      return try JSONParser.parse(text, limit: .tensors)
    } catch {
      throw .notJSON(file: path, reason: error)
    }
  }

  /// Checks that there is one frame of the right size for every piece. Returns the number of each
  /// file's first frame.
  private static func place(
    _ index: ArchiveIndex, in frames: [SeekTable.Frame], archive: String
  ) throws(CheckpointError) -> [Int] {
    func unsound(_ offset: Int, _ reason: String) -> CheckpointError {
      .malformed(file: archive, format: "archive", offset: offset, reason: reason)
    }
    // Before anything is allocated by what the index says.
    let expected = index.files.reduce(0) { $0 + $1.parts.frameCount }
    guard expected == frames.count else {
      throw unsound(
        frames.last?.offset ?? 0, "the index needs \(expected) frames, there are \(frames.count)")
    }
    var firstFrames: [Int] = []
    var next = 0
    for file in index.files {
      firstFrames.append(next)
      for piece in file.parts.pieces {
        guard frames[next].bytes == piece.range.count else {
          throw unsound(
            frames[next].offset,
            "\(name(next, piece, of: file)) holds \(frames[next].bytes) bytes,"
              + " expected \(piece.range.count)")
        }
        next += 1
      }
    }
    return firstFrames
  }

  /// `frame 3 (tensor a of model.safetensors)`
  static func name(
    _ frame: Int, _ piece: ArchiveIndex.Piece, of file: ArchiveIndex.File
  ) -> String {
    let tensor = piece.part.tensor.map { "tensor \($0.name) of " } ?? ""
    return "frame \(frame) (\(tensor)\(file.record.name))"
  }

  /// What reading the frames needs; made once for all files.
  typealias Pipeline = FramePipeline<FrameDecoder>

  /// A pipeline that uses approximately `memory` bytes.
  static func pipeline(memory: Int) -> Pipeline {
    Pipeline(slotBytes: ArchiveIndex.frameBytes, memory: memory, makeWorker: FrameDecoder.init)
  }

  /// Reads the file of the given number, or of its tensors only `tensor`, and calls `deliver` with
  /// the bytes in order, a frame at a time. Only the frames of what is asked for are touched.
  func read(
    file number: Int, tensor: String? = nil, through pipeline: Pipeline,
    deliver: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let file = index.files[number]
    let pieces = Array(file.parts.pieces.enumerated())
      .filter { tensor == nil || $0.element.part.tensor?.name == tensor }
      .map { (frame: firstFrames[number] + $0.offset, piece: $0.element) }
    try pipeline.run(pieces.count) { position, decoder, output in
      let (frame, piece) = pieces[position]
      do throws(FrameDecoder.Damage) {
        try decoder.decode(
          packed(frame), planes: piece.part.planes,
          into: UnsafeMutableRawBufferPointer(rebasing: output[..<piece.range.count]))
      } catch {
        throw CheckpointError.malformed(
          file: path, format: "archive", offset: frames[frame].offset,
          reason: "\(Archive.name(frame, piece, of: file)): \(error.reason)")
      }
      return piece.range.count
    } deliver: { position, bytes in
      try deliver(bytes)
      map.discard(packed(pieces[position].frame))
    }
  }

  /// Decodes everything and compares the digest of every file; writes nothing.
  ///
  /// - Parameters:
  ///   - memory: bytes that may be used, approximately.
  ///   - progress: told how many bytes are done.
  public func check(memory: Int, progress: (Int) -> Void = { _ in }) throws {
    let pipeline = Archive.pipeline(memory: memory)
    var done = 0
    for (number, file) in index.files.enumerated() {
      var hash = SHA256()
      try read(file: number, through: pipeline) { bytes in
        hash.update(bytes)
        done += bytes.count
        progress(done)
      }
      try compare(hash.finish(), with: file.record)
    }
  }

  /// Throws when `digest` is not that of the packed file.
  func compare(_ digest: SHA256Digest, with record: FileRecord) throws(CheckpointError) {
    guard digest == record.sha256 else { throw .checksum(file: path, part: record.name) }
  }

  private func packed(_ frame: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: map.bytes[frames[frame].range])
  }

  /// Whether the file at `path` is one, by its name and its seek table.
  public static func isArchive(_ path: String) -> Bool {
    guard path.hasSuffix(".sbz"), let map = try? MappedFile.checkpoint(path) else { return false }
    // Its bytes are read as long as it is mapped.
    return withExtendedLifetime(map) { (try? SeekTable(map.bytes, file: path)) != nil }
  }
}
