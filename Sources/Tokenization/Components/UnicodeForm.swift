import CUtf8proc
import Glibc

/// A Unicode normal form.
enum UnicodeForm: String, Sendable {
  case nfc = "NFC"
  case nfd = "NFD"
  case nfkc = "NFKC"
  case nfkd = "NFKD"

  /// The text in this form.
  ///
  /// Most of a text is known to be in it. What is not is normalised in stretches, each with the
  /// scalar before it, which marks may combine with. Scalars that the `tokenizers` library does not
  /// know stay as they are.
  func apply(to text: [UInt8]) -> [UInt8] {
    var normal: [UInt8] = []
    normal.reserveCapacity(text.count)
    var start = 0
    var last = 0
    var isStretch = false
    text.forEachScalar(in: text.indices) { scalar, range in
      let isKept = isStable(scalar)
      let isUnknown = !isKept && Self.isUnknown(scalar)
      let isStable = isKept || isUnknown
      if isStretch, isStable {
        normal += normalized(text[start..<range.lowerBound])
        start = range.lowerBound
      } else if !isStretch, !isStable {
        normal += text[start..<last]
        start = last
      }
      isStretch = !isStable
      last = isUnknown ? range.upperBound : range.lowerBound
    }
    normal += isStretch ? normalized(text[start...]) : Array(text[start...])
    return normal
  }

  /// Whether a scalar came to Unicode after version 9, whose tables that library has.
  @inline(__always)
  private static func isUnknown(_ scalar: Unicode.Scalar) -> Bool {
    // The first of them is U+0560.
    if scalar.value < 0x560 || (0x3041...0x3096).contains(scalar.value)
      || (0x4e00...0x9fd5).contains(scalar.value) || (0xac00...0xd7a3).contains(scalar.value)
    {
      return false
    }
    return scalar.properties.age.map { $0.major > 9 } ?? true
  }

  /// By utf8proc, which knows Unicode 9 or later.
  private func normalized(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var result: UnsafeMutablePointer<UInt8>?
    let count = text.withUnsafeBufferPointer {
      utf8proc_map($0.baseAddress, $0.count, &result, options)
    }
    defer { free(result) }
    guard count >= 0, let result else {
      // It refuses what is no UTF-8.
      let valid = Array(String(decoding: text, as: UTF8.self).utf8)
      return valid == Array(text) ? valid : normalized(valid[...])
    }
    return Array(UnsafeBufferPointer(start: result, count: count))
  }

  private var options: utf8proc_option_t {
    let composing = UTF8PROC_COMPOSE.rawValue, decomposing = UTF8PROC_DECOMPOSE.rawValue
    let compatible = UTF8PROC_COMPAT.rawValue
    let chosen =
      switch self {
      case .nfc: composing
      case .nfd: decomposing
      case .nfkc: composing | compatible
      case .nfkd: decomposing | compatible
      }
    return utf8proc_option_t(UTF8PROC_STABLE.rawValue | chosen)
  }

  /// Whether the form keeps a scalar whatever comes before it. Not all such scalars are listed:
  /// ASCII, and for NFC the letters of large scripts, common punctuation and symbols.
  @inline(__always)
  private func isStable(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.value < 0x80 { return true }
    guard self == .nfc else { return false }
    switch scalar.value {
    case ..<0x300, 0x388...0x3ff, 0x400...0x482, 0x5d0...0x5ea, 0x621...0x64a, 0x905...0x939,
      0xe01...0xe30, 0x2010...0x2027, 0x3001...0x3020, 0x3041...0x3096, 0x30a1...0x30fa,
      0x4e00...0x9fff, 0xac00...0xd7a3, 0xff01...0xff5e, 0x1f300...0x1faff:
      return true
    default: return false
    }
  }
}
