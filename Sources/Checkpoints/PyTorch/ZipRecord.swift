/// The records of a zip archive that is written from start to end (APPNOTE.TXT 4.3): numbers that do
/// not fit 32 bits are in extra fields, checksums behind the bytes.
enum ZipRecord {
  /// The least number that needs an extra field.
  static let limit = 0xffff_ffff

  private static let longExtraBytes = 20
  /// Bytes of both end records and the locator between them.
  static let endBytes = 56 + 20 + 22
  /// Sizes and checksum follow the bytes.
  private static let streamed: UInt16 = 1 << 3
  /// 1 January 1980, the first date there is: equal contents give equal bytes.
  private static let date: UInt16 = 1 << 5 | 1

  /// Bytes from the start of a local header, at `offset`, to those of its entry.
  static func localBytes(_ name: String, isLong: Bool, at offset: Int) -> Int {
    let length = 30 + name.utf8.count + 4 + (isLong ? longExtraBytes : 0)
    let alignment = PyTorchArchive.alignment
    return (offset + length + alignment - 1) / alignment * alignment - offset
  }

  /// A local header that fills the bytes from `offset` to `start`, where the entry's begin.
  static func local(_ name: String, isLong: Bool, at offset: Int, start: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    let extra = start - offset - 30 - name.utf8.count
    bytes.append(0x0403_4b50 as UInt32)
    bytes.append(isLong ? 45 : 20 as UInt16)
    bytes.append(streamed)
    bytes.append(0 as UInt16)
    bytes.append(0 as UInt16)
    bytes.append(date)
    bytes.append(0 as UInt32)
    bytes.append(isLong ? .max : 0 as UInt32)
    bytes.append(isLong ? .max : 0 as UInt32)
    bytes.append(UInt16(name.utf8.count))
    bytes.append(UInt16(extra))
    bytes += name.utf8
    var filling = extra - 4
    if isLong {
      filling -= longExtraBytes
      bytes.append(1 as UInt16)
      bytes.append(16 as UInt16)
      bytes.append(0 as UInt64)
      bytes.append(0 as UInt64)
    }
    bytes += Array("FB".utf8)
    bytes.append(UInt16(filling))
    return bytes + [UInt8](repeating: UInt8(ascii: "Z"), count: filling)
  }

  /// Bytes of what follows an entry.
  static func descriptorBytes(isLong: Bool) -> Int { isLong ? 24 : 16 }

  /// What follows an entry.
  static func descriptor(_ checksum: UInt32, count: Int, isLong: Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(0x0807_4b50 as UInt32)
    bytes.append(checksum)
    for _ in 0..<2 {
      if isLong { bytes.append(UInt64(count)) } else { bytes.append(UInt32(count)) }
    }
    return bytes
  }

  /// An entry of the directory.
  static func central(_ name: String, count: Int, checksum: UInt32, header: Int) -> [UInt8] {
    var extra: [UInt8] = []
    if count >= limit { for _ in 0..<2 { extra.append(UInt64(count)) } }
    if header >= limit { extra.append(UInt64(header)) }
    if !extra.isEmpty {
      var head: [UInt8] = []
      head.append(1 as UInt16)
      head.append(UInt16(extra.count))
      extra = head + extra
    }
    let version: UInt16 = extra.isEmpty ? 20 : 45
    var bytes: [UInt8] = []
    bytes.append(0x0201_4b50 as UInt32)
    bytes.append(version)
    bytes.append(version)
    bytes.append(streamed)
    bytes.append(0 as UInt16)
    bytes.append(0 as UInt16)
    bytes.append(date)
    bytes.append(checksum)
    bytes.append(short(count))
    bytes.append(short(count))
    bytes.append(UInt16(name.utf8.count))
    bytes.append(UInt16(extra.count))
    for _ in 0..<3 { bytes.append(0 as UInt16) }
    bytes.append(0 as UInt32)
    bytes.append(short(header))
    return bytes + Array(name.utf8) + extra
  }

  /// The end of an archive whose directory starts at `start` and takes `size` bytes, in both forms.
  static func end(entries: Int, start: Int, size: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(0x0606_4b50 as UInt32)
    bytes.append(44 as UInt64)
    bytes.append(45 as UInt16)
    bytes.append(45 as UInt16)
    bytes.append(0 as UInt32)
    bytes.append(0 as UInt32)
    for number in [entries, entries, size, start] { bytes.append(UInt64(number)) }
    bytes.append(0x0706_4b50 as UInt32)
    bytes.append(0 as UInt32)
    bytes.append(UInt64(start + size))
    bytes.append(1 as UInt32)
    bytes.append(0x0605_4b50 as UInt32)
    bytes.append(0 as UInt32)
    for _ in 0..<2 { bytes.append(UInt16(min(entries, 0xffff))) }
    bytes.append(short(size))
    bytes.append(short(start))
    bytes.append(0 as UInt16)
    return bytes
  }

  /// A number as far as it fits, else the mark that it is elsewhere.
  private static func short(_ number: Int) -> UInt32 { UInt32(min(number, limit)) }
}

extension [UInt8] {
  /// Appends a number, least byte first.
  mutating func append<Number: FixedWidthInteger>(_ number: Number) {
    Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
  }
}
