import Synchronization

extension InputFile {
  /// Longer texts are refused: a run uses some millions of tokens, a gigabyte holds 250 million.
  public static let mostTextBytes = 1 << 30

  /// The path that means standard input.
  public static let dash = "-"

  /// Standard input, which can be read only once, though a text may be checked before it is used.
  private static let input = Mutex<[UInt8]?>(nil)

  /// The bytes of the UTF-8 text at `path`, which may also be a pipe that is open already, or `-` for
  /// standard input. A byte order mark before the text is no part of it.
  public static func readText(
    _ path: String, limit: Int = mostTextBytes, kind: Kind = .regularOrOpenPipe
  ) throws(InputFileError) -> [UInt8] {
    let isInput = path == dash
    var bytes =
      isInput ? try readInputOnce(limit: limit) : try read(path, limit: limit, kind: kind)
    try requireText(bytes, file: isInput ? standardInput : path)
    if bytes.starts(with: byteOrderMark) { bytes.removeFirst(byteOrderMark.count) }
    return bytes
  }

  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  private static func readInputOnce(limit: Int) throws(InputFileError) -> [UInt8] {
    try input.withLock { (known) throws(InputFileError) in
      if let known { return known }
      let bytes = try readStandardInput(limit: limit)
      known = bytes
      return bytes
    }
  }

  /// Throws when `bytes` are no UTF-8 text. NUL is a character of UTF-8, but of no text: UTF-16 of
  /// plain English is half NULs, and valid otherwise.
  public static func requireText(_ bytes: [UInt8], file: String) throws(InputFileError) {
    var offset: Int?
    do {
      _ = try UTF8Span(validating: bytes.span)
    } catch {
      offset = error.byteOffsets.lowerBound
    }
    if let null = bytes.firstIndex(of: 0) { offset = min(offset ?? null, null) }
    guard let offset else { return }
    throw .notText(
      file: file, offset: offset, byte: bytes[offset], encoding: probableEncoding(bytes))
  }

  /// The encoding that a text which is not UTF-8 is probably in, by the name `iconv` knows; nil for
  /// what is probably no text.
  static func probableEncoding(_ bytes: [UInt8]) -> String? {
    let start = bytes.prefix(4096)
    if start.starts(with: [0xFF, 0xFE, 0, 0]) || start.starts(with: [0, 0, 0xFE, 0xFF]) {
      return "UTF-32"
    }
    if start.starts(with: [0xFF, 0xFE]) || start.starts(with: [0xFE, 0xFF]) { return "UTF-16" }
    let pairs = max(1, start.count / 2)
    let zeros = (even: zeros(start, from: 0), odd: zeros(start, from: 1))
    if zeros.even == 0, 3 * zeros.odd >= pairs { return "UTF-16LE" }
    if zeros.odd == 0, 3 * zeros.even >= pairs { return "UTF-16BE" }
    // Single-byte encodings leave the control characters alone; other data has all of them.
    let isText = start.allSatisfy { $0 >= 0x20 || (0x09...0x0D).contains($0) }
    return isText ? "LATIN1" : nil
  }

  private static func zeros(_ bytes: ArraySlice<UInt8>, from first: Int) -> Int {
    stride(from: first, to: bytes.count, by: 2).count { bytes[$0] == 0 }
  }
}
