/// The byte-level alphabet of GPT-2: every byte has a printable scalar.
///
/// Printable Latin-1 bytes stand for themselves, the 68 others are U+0100, U+0101, … in order.
enum ByteAlphabet {
  /// The scalar of each byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt16 = 0x100
    return (UInt8.min...UInt8.max).map { byte in
      if isPrintable(byte) { return Unicode.Scalar(byte) }
      defer { next += 1 }
      return Unicode.Scalar(next) ?? "\u{fffd}"
    }
  }()

  /// The UTF-8 form of each byte's scalar.
  static let encoded: [[UInt8]] = scalars.map { Array(String(Character($0)).utf8) }

  /// The byte each scalar below U+0144 stands for.
  private static let bytes: [UInt8?] = {
    var table = [UInt8?](repeating: nil, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar.value)] = UInt8(byte) }
    return table
  }()

  /// The byte that `scalar` stands for; nil if it is not in the alphabet.
  static func byte(of scalar: Unicode.Scalar) -> UInt8? {
    scalar.value < bytes.count ? bytes[Int(scalar.value)] : nil
  }

  private static func isPrintable(_ byte: UInt8) -> Bool {
    (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte) || (0xae...0xff).contains(byte)
  }
}
