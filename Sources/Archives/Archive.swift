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
}
