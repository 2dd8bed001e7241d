/// What is done to a text before it is split: steps in order.
struct Normalizer: Sendable {
  enum Step: Sendable {
    case unicode(UnicodeForm)
    case lowercase
    /// Put before every text that is not empty.
    case prepend([UInt8])
    case replace(Pattern, with: [UInt8])
    case strip(left: Bool, right: Bool)
    case characterMap(CharacterMap)
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
    case .characterMap(let map): return map.apply(to: text)
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
