import Checkpoints

/// The seek table of the zstd seekable format: the sizes of all frames, in a skippable frame that
/// ends the archive. Numbers are little-endian u32.
///
/// Source: zstd, contrib/seekable_format/zstd_seekable_compression_format.md.
struct SeekTable {
  /// The place of one frame.
  struct Frame: Sendable {
    /// Its first byte in the archive.
    var offset: Int
    /// Its size in the archive.
    var packed: Int
    /// The size of what it holds.
    var bytes: Int
    /// Its bytes in the archive.
    var range: Range<Int> { offset..<offset + packed }
  }

  /// The frames in order; each starts where the one before ends.
  private(set) var frames: [Frame] = []
  /// Where the last frame ends.
  var end: Int { frames.last.map { $0.offset + $0.packed } ?? 0 }

  private static let skippableMagic: UInt32 = 0x184d_2a5e
  private static let tableMagic: UInt32 = 0x8f92_eab1
  private static let headerBytes = 8, entryBytes = 8, footerBytes = 9

  /// A table without frames.
  init() {}

  /// Adds a frame of `packed` bytes that holds `bytes`.
  mutating func append(packed: Int, bytes: Int) {
    frames.append(Frame(offset: end, packed: packed, bytes: bytes))
  }

  /// The skippable frame, or nil when a number does not fit.
  var encoded: [UInt8]? {
    let size = SeekTable.entryBytes * frames.count + SeekTable.footerBytes
    guard let size = UInt32(exactly: size) else { return nil }
    var words = [SeekTable.skippableMagic, size]
    for frame in frames {
      guard let packed = UInt32(exactly: frame.packed), let bytes = UInt32(exactly: frame.bytes)
      else { return nil }
      words += [packed, bytes]
    }
    words.append(UInt32(frames.count))
    // The descriptor 0 says that entries have no checksums: the frames themselves have.
    return SeekTable.bytes(words) + [0] + SeekTable.bytes([SeekTable.tableMagic])
  }

  /// Reads the table at the end of `archive`; the frames must fill what is before it.
  init(_ archive: UnsafeRawBufferPointer, file: String) throws(CheckpointError) {
    func word(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: archive.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    let least = SeekTable.headerBytes + SeekTable.footerBytes
    guard archive.count >= least else {
      throw .truncated(file: file, part: "seek table", expected: least, got: archive.count)
    }
    func unsound(_ offset: Int, _ reason: String) -> CheckpointError {
      .malformed(file: file, format: "archive", offset: offset, reason: reason)
    }
    guard word(archive.count - 4) == SeekTable.tableMagic else {
      throw word(0) == FrameDecoder.magic
        ? unsound(archive.count, "it does not end with a seek table, so its end is missing")
        : unsound(0, "it does not start with a zstd frame")
    }
    let descriptor = archive[archive.count - 5]
    guard descriptor == 0 else {
      throw unsound(archive.count - 5, "the seek table has descriptor \(descriptor)")
    }
    let count = Int(word(archive.count - SeekTable.footerBytes))
    let size = SeekTable.entryBytes * count + SeekTable.footerBytes
    let start = archive.count - size - SeekTable.headerBytes
    guard start >= 0 else {
      throw unsound(archive.count - SeekTable.footerBytes, "\(count) frames do not fit into it")
    }
    guard word(start) == SeekTable.skippableMagic, word(start + 4) == size else {
      throw unsound(start, "the seek table of \(count) frames does not start here")
    }
    frames.reserveCapacity(count)
    for index in 0..<count {
      let entry = start + SeekTable.headerBytes + SeekTable.entryBytes * index
      append(packed: Int(word(entry)), bytes: Int(word(entry + 4)))
    }
    guard end == start else {
      throw unsound(start, "the frames end at byte \(end), the seek table starts at \(start)")
    }
  }

  private static func bytes(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } }
  }
}
