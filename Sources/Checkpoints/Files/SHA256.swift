/// A streaming SHA-256.
public struct SHA256: ~Copyable {
  private var digest = MessageDigest(.sha256)

  /// A hash of no bytes yet.
  public init() {}

  /// Hashes `bytes` after all earlier ones.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) { digest.update(bytes) }

  /// The digest of all bytes.
  public consuming func finish() -> SHA256Digest { SHA256Digest(digest.finish()) }

  /// The digest of `bytes`.
  public static func hash(_ bytes: UnsafeRawBufferPointer) -> SHA256Digest {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finish()
  }

  /// The digest of `bytes`.
  public static func hash(_ bytes: [UInt8]) -> SHA256Digest {
    bytes.withUnsafeBytes { hash($0) }
  }

  /// The digest and size of the file at `path`. `progress` is told of every block's bytes.
  ///
  /// - Parameter part: the bytes that are hashed; nil for all.
  public static func hashFile(
    _ path: String, bytes part: Range<Int>? = nil, progress: (Int) -> Void = { _ in }
  ) throws(CheckpointError) -> (bytes: Int, digest: SHA256Digest) {
    let (bytes, digest) = try MessageDigest.ofFile(
      path, .sha256, bytes: part, progress: progress)
    return (bytes, SHA256Digest(digest))
  }
}

/// The 32 bytes of a SHA-256 digest.
public struct SHA256Digest: Sendable, Hashable, Codable, CustomStringConvertible {
  /// The number of bytes of a digest.
  public static let byteCount = 32

  /// The bytes.
  public let bytes: [UInt8]

  init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

  /// Parses 64 lower-case hexadecimal digits.
  public init?(hex: String) {
    let digits = Array(hex.utf8)
    guard digits.count == 2 * SHA256Digest.byteCount else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = SHA256Digest.value(digits[index]),
        let low = SHA256Digest.value(digits[index + 1])
      else { return nil }
      bytes.append(high << 4 | low)
    }
    self.bytes = bytes
  }

  /// 64 lower-case hexadecimal digits.
  public var hex: String { MessageDigest.hex(bytes) }

  /// The hexadecimal digits.
  public var description: String { hex }

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
