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
    case sentencePiece(SentencePieceNormalizer)
  }

  var steps: [Step] = []

  /// - Parameter isStart: whether the text begins here; otherwise a token stands before.
  func apply(to text: [UInt8], isStart: Bool) -> [UInt8] {
    steps.reduce(text) { $1.apply(to: $0, isStart: isStart) }
  }
}

extension Normalizer.Step {
  fileprivate func apply(to text: [UInt8], isStart: Bool) -> [UInt8] {
    switch self {
    case .unicode(let form): return form.apply(to: text)
    case .characterMap(let map): return map.apply(to: text)
    case .sentencePiece(let normalizer): return normalizer.apply(to: text, isStart: isStart)
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

extension Normalizer {
  private static let supported = [
    "Sequence", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Prepend", "Replace", "Strip",
    "Precompiled",
  ]

  /// Reads the member `normalizer` of a tokenizer file.
  init(_ field: Field?) throws(TokenizationError) {
    guard let field else { return }
    let type = try field.member("type").string
    if let form = UnicodeForm(rawValue: type) {
      steps = [.unicode(form)]
      return
    }
    switch type {
    case "Sequence":
      for element in try field.member("normalizers").elements {
        steps += try Normalizer(element).steps
      }
    case "Lowercase": steps = [.lowercase]
    case "Prepend": steps = [.prepend(Array(try field.member("prepend").string.utf8))]
    case "Replace":
      steps = [
        .replace(
          try Pattern(try field.member("pattern")),
          with: Array(try field.member("content").string.utf8))
      ]
    case "Precompiled":
      steps = [.characterMap(try CharacterMap(try field.member("precompiled_charsmap")))]
    case "Strip":
      steps = [
        .strip(
          left: try field.bool("strip_left", default: true),
          right: try field.bool("strip_right", default: true))
      ]
    default:
      throw .unsupportedComponent(path: field.path, type: type, supported: Self.supported)
    }
  }
}
