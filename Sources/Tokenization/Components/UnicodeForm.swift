import Foundation

/// A Unicode normal form.
enum UnicodeForm: String, Sendable {
  case nfc = "NFC"
  case nfd = "NFD"
  case nfkc = "NFKC"
  case nfkd = "NFKD"

  /// The text in this form.
  ///
  /// Most of a text is known to be in it. What is not is normalised in stretches, each with the
  /// scalar before it, which marks may combine with.
  func apply(to text: [UInt8]) -> [UInt8] {
    var composition = Composition()
    var normal: [UInt8] = []
    normal.reserveCapacity(text.count)
    var start = 0
    var last = 0
    var isStretch = false
    text.forEachScalar(in: text.indices) { scalar, range in
      let isStable = isStable(scalar)
      if isStretch, isStable {
        normal += normalized(text[start..<range.lowerBound], &composition)
        start = range.lowerBound
      } else if !isStretch, !isStable {
        normal += text[start..<last]
        start = last
      }
      isStretch = !isStable
      last = range.lowerBound
    }
    normal += isStretch ? normalized(text[start...], &composition) : Array(text[start...])
    return normal
  }

  private func normalized(
    _ text: ArraySlice<UInt8>, _ composition: inout Composition
  ) -> [UInt8] {
    let string = String(decoding: text, as: UTF8.self)
    let once =
      switch self {
      case .nfc, .nfd: string.decomposedStringWithCanonicalMapping
      case .nfkc, .nfkd: string.decomposedStringWithCompatibilityMapping
      }
    // A second pass puts marks in order: Foundation decomposes some scalars (U+0F73, U+1FCF)
    // only after it has done so.
    let decomposed = once.decomposedStringWithCanonicalMapping
    switch self {
    case .nfc, .nfkc: return composition.apply(to: decomposed)
    case .nfd, .nfkd: return Array(decomposed.utf8)
    }
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

/// Canonical composition of decomposed text (Unicode Standard Annex 15).
///
/// Foundation is asked about pairs only: on whole texts it does not compose a Hangul syllable
/// with a final consonant, and it looks at 16 bits of a scalar (U+20053 counts as "S").
private struct Composition {
  private var known: [Pair: Unicode.Scalar?] = [:]

  private struct Pair: Hashable {
    var first: Unicode.Scalar
    var second: Unicode.Scalar
  }

  mutating func apply(to text: String) -> [UInt8] {
    var scalars: [Unicode.Scalar] = []
    var starter: Int?
    var lastClass: UInt8 = 0
    for scalar in text.unicodeScalars {
      let combiningClass = scalar.properties.canonicalCombiningClass.rawValue
      // A mark reaches its starter past marks of lower classes only.
      if let starter, starter == scalars.count - 1 || lastClass < combiningClass,
        let composite = composite(Pair(first: scalars[starter], second: scalar))
      {
        scalars[starter] = composite
        continue
      }
      if combiningClass == 0 { starter = scalars.count }
      lastClass = combiningClass
      scalars.append(scalar)
    }
    return scalars.flatMap { UTF8.encode($0).map(Array.init) ?? [] }
  }

  private mutating func composite(_ pair: Pair) -> Unicode.Scalar? {
    if let found = known[pair] { return found }
    let found = Self.composite(pair)
    known[pair] = found
    return found
  }

  private static func composite(_ pair: Pair) -> Unicode.Scalar? {
    // No composition joins scalars on both sides of U+FFFF.
    if (pair.first.value > 0xffff) != (pair.second.value > 0xffff) { return nil }
    let text = String([pair.first, pair.second])
    let composed = text.decomposedStringWithCanonicalMapping.precomposedStringWithCanonicalMapping
    return composed.unicodeScalars.count == 1 ? composed.unicodeScalars.first : nil
  }
}
