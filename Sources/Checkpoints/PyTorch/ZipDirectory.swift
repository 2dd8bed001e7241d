/// The directory of a zip archive whose entries are stored without compression, as PyTorch writes
/// them, with every offset it states checked.
///
/// Layout: for each entry a local header and its bytes; then the central directory; then the end
/// record, preceded by its zip64 form when numbers do not fit 32 bits. The central directory alone
/// is believed; a local header must carry the same name.
struct ZipDirectory {
  /// A stored file.
  struct Entry: Equatable {
    var name: String
    /// Where its bytes lie, counted from the start of the archive.
    var range: Range<Int>
    /// CRC-32 of the bytes.
    var checksum: UInt32
  }

  /// The entries, by where their bytes lie.
  let entries: [Entry]

  /// Most entries that are read: a checkpoint has one per tensor.
  static let entryLimit = 1 << 20

  private static let endSignature: UInt32 = 0x0605_4b50
  private static let end64Signature: UInt32 = 0x0606_4b50
  private static let locatorSignature: UInt32 = 0x0706_4b50
  private static let centralSignature: UInt32 = 0x0201_4b50
  private static let localSignature: UInt32 = 0x0403_4b50
  private static let endLength = 22
  private static let longestComment = 0xffff

  /// Reads the directory of the archive in `bytes`, a part of `file` or all of it.
  init(_ bytes: UnsafeRawBufferPointer, file: String) throws(CheckpointError) {
    let end = try ZipDirectory.end(bytes, file: file)
    var cursor = ByteCursor(bytes, at: end.start, file: file, format: "zip")
    var entries: [Entry] = []
    for _ in 0..<end.count {
      let (entry, local) = try ZipDirectory.central(&cursor)
      entries.append(try ZipDirectory.place(entry, local: local, bytes, file: file))
    }
    guard cursor.offset <= end.limit else {
      throw .malformed(
        file: file, format: "zip", offset: end.start, reason: "the directory is too long")
    }
    entries.sort { ($0.range.lowerBound, $0.name) < ($1.range.lowerBound, $1.name) }
    try ZipDirectory.check(entries, before: end.start, file: file)
    self.entries = entries
  }

  /// Entries must not share bytes with each other or with the directory, nor their names.
  private static func check(
    _ entries: [Entry], before directory: Int, file: String
  ) throws(CheckpointError) {
    var names: Set<String> = [], previous = 0
    for entry in entries {
      guard names.insert(entry.name).inserted else {
        throw .malformed(
          file: file, format: "zip", offset: entry.range.lowerBound,
          reason: "\(entry.name) is stored twice")
      }
      guard entry.range.lowerBound >= previous, entry.range.upperBound <= directory else {
        throw .malformed(
          file: file, format: "zip", offset: entry.range.lowerBound,
          reason: "\(entry.name) overlaps another entry or the directory")
      }
      previous = entry.range.upperBound
    }
  }

  /// Where the central directory starts, what follows it, and how many entries it has.
  private static func end(
    _ bytes: UnsafeRawBufferPointer, file: String
  ) throws(CheckpointError) -> (start: Int, limit: Int, count: Int) {
    let last = bytes.count - endLength
    var place = last
    while place >= max(0, last - longestComment) {
      var cursor = ByteCursor(bytes, at: place, file: file, format: "zip")
      if try cursor.u32() == endSignature {
        try cursor.skip(16)
        if try Int(cursor.u16()) == last - place { break }
      }
      place -= 1
    }
    guard place >= max(0, last - longestComment) else {
      throw .malformed(
        file: file, format: "zip", offset: bytes.count,
        reason: "the directory at the end is missing; the file may be cut off")
    }
    var cursor = ByteCursor(bytes, at: place + 10, file: file, format: "zip")
    var count = try UInt64(cursor.u16()), size = try UInt64(cursor.u32())
    var start = try UInt64(cursor.u32()), limit = place
    if count == 0xffff || size == 0xffff_ffff || start == 0xffff_ffff {
      var locator = ByteCursor(bytes, at: place - 20, file: file, format: "zip")
      guard try locator.u32() == locatorSignature else {
        throw locator.malformed("the zip64 directory is missing")
      }
      try locator.skip(4)
      limit = try locator.position(locator.u64())
      var end64 = ByteCursor(bytes, at: limit, file: file, format: "zip")
      guard try end64.u32() == end64Signature else {
        throw end64.malformed("the zip64 directory is missing")
      }
      try end64.skip(28)
      count = try end64.u64()
      size = try end64.u64()
      start = try end64.u64()
    }
    guard count <= UInt64(entryLimit) else {
      throw .limitExceeded(file: file, quantity: "zip entries", limit: entryLimit, got: count)
    }
    guard start <= UInt64(limit), size <= UInt64(limit) - start else {
      throw .malformed(
        file: file, format: "zip", offset: place, reason: "the directory lies outside the file")
    }
    return (Int(start), limit, Int(count))
  }

  /// One record of the central directory, and where its local header is said to lie.
  private static func central(
    _ cursor: inout ByteCursor
  ) throws(CheckpointError) -> (entry: Entry, local: UInt64) {
    let start = cursor.offset
    func malformed(_ reason: String) -> CheckpointError {
      .malformed(file: cursor.file, format: "zip", offset: start, reason: reason)
    }
    guard try cursor.u32() == centralSignature else { throw malformed("an entry is missing") }
    try cursor.skip(4)
    let flags = try cursor.u16(), method = try cursor.u16()
    try cursor.skip(4)
    let checksum = try cursor.u32()
    var stored = try UInt64(cursor.u32()), size = try UInt64(cursor.u32())
    let nameLength = try Int(cursor.u16()), extraLength = try Int(cursor.u16())
    let commentLength = try Int(cursor.u16())
    try cursor.skip(8)
    var local = try UInt64(cursor.u32())
    let name = try cursor.text(nameLength)
    let extraEnd = cursor.offset + extraLength
    while cursor.offset + 4 <= extraEnd {
      let kind = try cursor.u16(), length = try Int(cursor.u16())
      let next = cursor.offset + length
      guard next <= extraEnd else { throw malformed("\(name) has a broken extra field") }
      if kind == 1 {
        // Only the numbers that do not fit 32 bits are there, in this order.
        if size == 0xffff_ffff { size = try cursor.u64() }
        if stored == 0xffff_ffff { stored = try cursor.u64() }
        if local == 0xffff_ffff { local = try cursor.u64() }
      }
      try cursor.skip(next - cursor.offset)
    }
    try cursor.skip(extraEnd - cursor.offset + commentLength)
    guard flags & 1 == 0 else { throw malformed("\(name) is encrypted") }
    guard method == 0, stored == size else {
      throw malformed("\(name) is compressed, which PyTorch never does")
    }
    guard let count = Int(exactly: size) else { throw malformed("\(name) is too large") }
    return (Entry(name: name, range: 0..<count, checksum: checksum), local)
  }

  /// The entry with its bytes found behind the local header.
  private static func place(
    _ entry: Entry, local: UInt64, _ bytes: UnsafeRawBufferPointer, file: String
  ) throws(CheckpointError) -> Entry {
    var cursor = ByteCursor(bytes, at: 0, file: file, format: "zip")
    cursor = ByteCursor(bytes, at: try cursor.position(local), file: file, format: "zip")
    guard try cursor.u32() == localSignature else {
      throw cursor.malformed("\(entry.name) has no local header")
    }
    try cursor.skip(22)
    let nameLength = try Int(cursor.u16()), extraLength = try Int(cursor.u16())
    guard try cursor.text(nameLength) == entry.name else {
      throw cursor.malformed("\(entry.name) has another name in its local header")
    }
    try cursor.skip(extraLength)
    guard entry.range.count <= bytes.count - cursor.offset else {
      throw .truncated(
        file: file, part: entry.name, expected: cursor.offset + entry.range.count,
        got: bytes.count)
    }
    var placed = entry
    placed.range = cursor.offset..<cursor.offset + entry.range.count
    return placed
  }
}
