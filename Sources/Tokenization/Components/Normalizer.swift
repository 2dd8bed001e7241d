import Foundation

/// What is done to a text before it is split: steps in order.
struct Normalizer: Sendable {
  enum Step: Sendable {
    case unicode(UnicodeForm)
    case lowercase
    /// Put before every text that is not empty.
    case prepend([UInt8])
    case replace(Pattern, with: [UInt8])
    case strip(left: Bool, right: Bool)
  }

  enum UnicodeForm: String, Sendable {
    case nfc = "NFC"
    case nfd = "NFD"
    case nfkc = "NFKC"
    case nfkd = "NFKD"
  }

  var steps: [Step] = []

  func apply(to text: [UInt8]) -> [UInt8] {
    steps.reduce(text) { $1.apply(to: $0) }
  }
}

extension Normalizer.Step {
  fileprivate func apply(to text: [UInt8]) -> [UInt8] {
    switch self {
    case .unicode(let form): return form.apply(to: text)
    case .lowercase:
      var lowered: [UInt8] = []
      text.forEachScalar(in: text.indices) { scalar, _ in
        lowered += scalar.properties.lowercaseMapping.utf8
      }
      return lowered
    case .prepend(let prefix): return text.isEmpty ? text : prefix + text
    case .replace(let pattern, let content):
      return text.replacing(pattern, with: content)
    case .strip(let left, let right):
      var range = text.indices
      while left, let read = text.scalar(at: range.lowerBound, end: range.upperBound),
        read.scalar.properties.isWhitespace
      {
        range = range.lowerBound + read.length..<range.upperBound
      }
      while right, !range.isEmpty {
        let start = text.scalarStart(before: range.upperBound, start: range.lowerBound)
        guard let last = text.scalar(at: start, end: range.upperBound),
          last.scalar.properties.isWhitespace
        else { break }
        range = range.lowerBound..<start
      }
      return Array(text[range])
    }
  }
}

extension Normalizer.UnicodeForm {
  fileprivate func apply(to text: [UInt8]) -> [UInt8] {
    if isStable(text) { return text }
    // Two passes: Foundation decomposes some scalars (U+0F73, U+1FCF) after it has put marks in
    // order, and does not compose a Hangul syllable with a final consonant that follows it.
    let string = String(decoding: text, as: UTF8.self)
    let normal =
      switch self {
      case .nfc: string.decomposedStringWithCanonicalMapping.precomposedStringWithCanonicalMapping
      case .nfd: string.decomposedStringWithCanonicalMapping.decomposedStringWithCanonicalMapping
      case .nfkc:
        string.decomposedStringWithCompatibilityMapping.precomposedStringWithCanonicalMapping
      case .nfkd:
        string.decomposedStringWithCompatibilityMapping.decomposedStringWithCanonicalMapping
      }
    return Array(normal.utf8)
  }

  /// Whether every scalar is too low for the form to change it: below U+0300 there is nothing
  /// to compose, in ASCII nothing to decompose.
  private func isStable(_ text: [UInt8]) -> Bool {
    let limit: UInt8 = self == .nfc ? 0xcc : 0x80
    return text.allSatisfy { $0 < limit }
  }
}

extension [UInt8] {
  /// The text with every match of `pattern` replaced.
  func replacing(_ pattern: Pattern, with content: [UInt8]) -> [UInt8] {
    var replaced: [UInt8] = []
    replaced.reserveCapacity(count)
    pattern.forEachPart(of: self, in: indices) { range, isMatch in
      replaced += isMatch ? content[...] : self[range]
    }
    return replaced
  }
}
