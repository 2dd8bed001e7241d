public import Checkpoints
public import Kernels
public import TensorTypes

/// What an archive holds: the files of a directory, each cut into parts, each part into frames.
///
/// Nothing here says where a frame lies: all frames follow each other in the order of files and
/// parts, so an index cannot describe overlapping or missing bytes.
public struct ArchiveIndex: Sendable, Equatable {
  /// Bytes of a part per frame; the last frame of a part may be shorter.
  public static let frameBytes = 1 << 20

  /// The files in the order of their bytes in the archive.
  public var files: [File]

  /// The bytes of all files.
  public var bytes: Int { files.reduce(0) { $0 + $1.record.bytes } }
  /// The tensors of all files.
  public var tensors: [Tensor] { files.flatMap { $0.parts.compactMap(\.tensor) } }

  /// A file and how it is cut.
  public struct File: Sendable, Equatable {
    /// Name relative to the directory, size, digest.
    public var record: FileRecord
    /// The file's bytes from first to last.
    public var parts: [Part]
  }

  /// Consecutive bytes of a file: a tensor, or what is none.
  public struct Part: Sendable, Equatable {
    /// The number of bytes.
    public var bytes: Int
    /// How they are arranged before compression.
    public var planes: BytePlanes = .one
    /// The tensor these are, if they are one.
    public var tensor: Tensor?
  }

  /// A tensor of a safetensors file.
  public struct Tensor: Sendable, Equatable {
    /// The name in its file.
    public var name: String
    /// The element type.
    public var type: ScalarType
    /// The shape, slowest dimension first.
    public var shape: Shape
  }
}

extension ArchiveIndex {
  /// The content of one frame.
  struct Piece: Sendable {
    /// Which bytes of the file.
    var range: Range<Int>
    /// The part that they belong to.
    var part: Part
  }
}

extension [ArchiveIndex.Part] {
  /// The number of frames, without making a list of them.
  var frameCount: Int {
    reduce(0) {
      $0 + $1.bytes / ArchiveIndex.frameBytes + ($1.bytes % ArchiveIndex.frameBytes).signum()
    }
  }

  /// One piece per frame, in order.
  var pieces: [ArchiveIndex.Piece] {
    var pieces: [ArchiveIndex.Piece] = []
    var start = 0
    for part in self {
      let end = start + part.bytes
      while start < end {
        let next = Swift.min(end, start + ArchiveIndex.frameBytes)
        pieces.append(ArchiveIndex.Piece(range: start..<next, part: part))
        start = next
      }
    }
    return pieces
  }
}
