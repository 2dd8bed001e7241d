/// A zip archive as `torch.save` writes it, decided before its storages are there: every part has its
/// place, so that it can be written from start to end without holding more than a block.
///
/// Entries are stored, not compressed, and start at multiples of 64 bytes of the archive. Checksums
/// follow the bytes they are of, and are repeated in the directory at the end.
package struct PyTorchArchive: Sendable {
  /// Bytes that entries start at multiples of.
  package static let alignment = 64

  /// Bytes of the whole archive.
  package let byteCount: Int
  private let entries: [Entry]
  private let directoryOffset: Int

  private struct Entry {
    var name: String
    var count: Int
    /// The bytes; nil for a storage.
    var content: [UInt8]?
    var header: Int
    var start: Int

    /// Whether the size needs the long form.
    var isLong: Bool { count >= ZipRecord.limit }
    /// Just behind the checksum.
    var end: Int { start + count + ZipRecord.descriptorBytes(isLong: isLong) }
  }

  /// The archive of `pickle` and of storages of the given sizes in bytes, which the pickle calls
  /// `"0"`, `"1"` and so on.
  ///
  /// - Parameter folder: what PyTorch names after the file; any name will do.
  package init(pickle: [UInt8], storages: [Int], folder: String = "archive") {
    var entries: [Entry] = [], cursor = 0
    func add(_ name: String, _ count: Int, _ content: [UInt8]?) {
      var entry = Entry(
        name: "\(folder)/\(name)", count: count, content: content, header: cursor, start: 0)
      entry.start = cursor + ZipRecord.localBytes(entry.name, isLong: entry.isLong, at: cursor)
      entries.append(entry)
      cursor = entry.end
    }
    func add(_ name: String, _ content: [UInt8]) { add(name, content.count, content) }
    add("data.pkl", pickle)
    add("byteorder", Array("little".utf8))
    for (key, count) in storages.enumerated() { add("data/\(key)", count, nil) }
    add("version", Array("3\n".utf8))
    directoryOffset = cursor
    for entry in entries {
      cursor +=
        ZipRecord.central(
          entry.name, count: entry.count, checksum: 0, header: entry.header
        ).count
    }
    self.entries = entries
    byteCount = cursor + ZipRecord.endBytes
  }

  /// Where the bytes of a storage start, counted from the start of the archive.
  package func offset(ofStorage key: Int) -> Int { entries[2 + key].start }

  /// Writes the archive from start to end.
  ///
  /// - Parameters:
  ///   - write: appends bytes.
  ///   - storage: appends the bytes of a storage and shows every block to `observe`.
  package func write(
    with write: ([UInt8]) throws -> Void,
    storage: (_ key: Int, _ observe: @escaping (UnsafeRawBufferPointer) -> Void) throws -> Void
  ) throws {
    var checksums: [UInt32] = []
    for (number, entry) in entries.enumerated() {
      try write(
        ZipRecord.local(
          entry.name, isLong: entry.isLong, at: entry.header, start: entry.start))
      var checksum = CRC32()
      if let content = entry.content {
        try write(content)
        content.withUnsafeBytes { checksum.update($0) }
      } else {
        try storage(number - 2) { checksum.update($0) }
      }
      try write(ZipRecord.descriptor(checksum.value, count: entry.count, isLong: entry.isLong))
      checksums.append(checksum.value)
    }
    var directory: [UInt8] = []
    for (entry, checksum) in zip(entries, checksums) {
      directory += ZipRecord.central(
        entry.name, count: entry.count, checksum: checksum, header: entry.header)
    }
    let size = directory.count
    directory += ZipRecord.end(entries: entries.count, start: directoryOffset, size: size)
    try write(directory)
  }
}
