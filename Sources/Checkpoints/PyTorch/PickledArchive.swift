/// What `torch.save` writes, a file or a part of one: a zip archive with a pickle and the storages
/// that its tensors lie in.
struct PickledArchive {
  /// What the pickle made.
  let value: PickleHeap.Reference
  /// The heap that it lies in.
  let heap: PickleHeap

  private let path: String
  private let folder: String
  private let entries: [String: ZipDirectory.Entry]

  /// Reads the archive that lies in `range` of `file`; checksums of storages are not compared yet.
  init(_ file: MappedFile, range: Range<Int>) throws(CheckpointError) {
    let path = file.path, bytes = UnsafeRawBufferPointer(rebasing: file.bytes[range])
    let entries = try ZipDirectory(bytes, file: path).entries
    guard let first = entries.first, let slash = first.name.firstIndex(of: "/") else {
      throw .malformed(file: path, format: "zip", offset: 0, reason: "it holds no PyTorch folder")
    }
    let folder = String(first.name[...slash])
    var byName: [String: ZipDirectory.Entry] = [:]
    for var entry in entries {
      entry.range =
        entry.range.lowerBound + range.lowerBound..<entry.range.upperBound + range.lowerBound
      byName[entry.name] = entry
    }
    func content(_ name: String) throws(CheckpointError) -> UnsafeRawBufferPointer? {
      guard let entry = byName[folder + name] else { return nil }
      let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[entry.range])
      try entry.check(bytes, file: path)
      return bytes
    }
    if let order = try content("byteorder"), !order.elementsEqual("little".utf8) {
      throw .formatNotSupported(path: path, format: "big-endian PyTorch")
    }
    guard let pickle = try content("data.pkl") else {
      throw .malformed(
        file: path, format: "zip", offset: 0, reason: "\(folder)data.pkl is missing")
    }
    (value, heap) = try PickleMachine.run(pickle, file: path)
    self.path = path
    self.folder = folder
    self.entries = byName
  }

  /// Where in the file a storage of the tensor `name` lies.
  func entry(
    of storage: PickleHeap.Storage, for name: String
  ) throws(CheckpointError) -> ZipDirectory.Entry {
    let place = "\(folder)data/\(storage.key)"
    guard let entry = entries[place] else {
      throw .malformed(
        file: path, format: "zip", offset: 0,
        reason: "tensor \(name) lies in \(place), which is missing")
    }
    return entry
  }
}

extension ZipDirectory.Entry {
  /// Refuses bytes that are not those that were written.
  func check(_ bytes: UnsafeRawBufferPointer, file: String) throws(CheckpointError) {
    guard CRC32.checksum(bytes) == checksum else { throw .checksum(file: file, part: name) }
  }
}
