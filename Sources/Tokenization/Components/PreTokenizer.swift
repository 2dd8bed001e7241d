/// How a normalised text is split into the words that the model sees: steps in order.
///
/// Every pre-tokenizer of a tokenizer file is a combination of these three.
struct PreTokenizer: Sendable {
  enum Step: Sendable {
    case split(Split)
    case prefix(Prefix)
    /// Each byte becomes its scalar of the byte-level alphabet.
    case byteAlphabet
    /// A scalar is replaced everywhere.
    case replace(Unicode.Scalar, with: [UInt8])
  }

  /// Text put before the pieces that do not start with it.
  struct Prefix: Sendable {
    var text: [UInt8]
    var onlyAtStart = false
  }

  var steps: [Step] = []

  func apply(to pieces: inout Pieces) {
    for step in steps { step.apply(to: &pieces) }
  }
}

extension PreTokenizer.Step {
  fileprivate func apply(to pieces: inout Pieces) {
    let bytes = pieces.bytes
    switch self {
    case .split(let split): split.apply(to: &pieces)
    case .prefix(let prefix):
      pieces.rewrite { piece, isStart, text in
        if isStart || !prefix.onlyAtStart,
          !bytes.matches(prefix.text[...], at: piece.lowerBound, end: piece.upperBound)
        {
          text += prefix.text
        }
        text += bytes[piece]
      }
    case .byteAlphabet:
      pieces.rewrite { piece, _, text in
        for byte in bytes[piece] { text += ByteAlphabet.encoded[Int(byte)] }
      }
    case .replace(let scalar, let content):
      pieces.rewrite { piece, _, text in
        bytes.forEachScalar(in: piece) { found, range in
          text += found == scalar ? content[...] : bytes[range]
        }
      }
    }
  }
}

extension PreTokenizer {
  private static let supported = [
    "Sequence", "ByteLevel", "Split", "Digits", "Metaspace", "Punctuation", "WhitespaceSplit",
  ]

  /// The pattern of GPT-2, which `ByteLevel` splits by.
  static let gpt2Pattern =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// Reads the member `pre_tokenizer` of a tokenizer file.
  init(_ field: Field?) throws(TokenizationError) {
    guard let field else { return }
    let type = try field.member("type").string
    switch type {
    case "Sequence":
      for element in try field.member("pretokenizers").elements {
        steps += try PreTokenizer(element).steps
      }
    case "ByteLevel": steps = try Self.byteLevel(field)
    case "Metaspace": steps = try Self.metaspace(field)
    case "Split": steps = [.split(try Self.split(field))]
    case "Digits":
      let individual = try field.bool("individual_digits", default: false)
      steps = [
        .split(
          Split(
            pattern: Pattern(
              ScalarClass([.categories(CategorySet(named: "N"), negated: false)])),
            behavior: individual ? .isolated : .contiguous))
      ]
    case "Punctuation":
      steps = [
        .split(
          Split(
            pattern: Pattern(.punctuation), behavior: try Self.behavior(field, else: .isolated)))
      ]
    case "WhitespaceSplit":
      let spaces = Pattern(ScalarClass([.whitespace(negated: false)]))
      steps = [.split(Split(pattern: spaces, behavior: .removed))]
    default:
      throw .unsupportedComponent(path: field.path, type: type, supported: Self.supported)
    }
  }

  private static func byteLevel(_ field: Field) throws(TokenizationError) -> [Step] {
    try field.expectOnly(["type", "add_prefix_space", "use_regex", "trim_offsets"])
    var steps: [Step] = []
    if try field.bool("add_prefix_space", default: true) {
      steps.append(.prefix(Prefix(text: Array(" ".utf8))))
    }
    if try field.bool("use_regex", default: true) {
      let pattern = try Pattern(regex: gpt2Pattern, path: field.path)
      steps.append(.split(Split(pattern: pattern, behavior: .isolated)))
    }
    return steps + [.byteAlphabet]
  }

  private static func metaspace(_ field: Field) throws(TokenizationError) -> [Step] {
    try field.expectOnly([
      "type", "replacement", "str_rep", "prepend_scheme", "add_prefix_space", "split",
    ])
    let scheme = try MetaspacePrefix(field)
    let mark = try field.member("replacement").scalar
    let text = Array(String(Character(mark)).utf8)
    var steps: [Step] = [.replace(" ", with: text)]
    if scheme != .never {
      steps.append(.prefix(Prefix(text: text, onlyAtStart: scheme == .first)))
    }
    if try field.bool("split", default: true) {
      steps.append(
        .split(Split(pattern: Pattern(ScalarClass(mark)), behavior: .mergedWithNext)))
    }
    return steps
  }

  private static func split(_ field: Field) throws(TokenizationError) -> Split {
    try field.expectOnly(["type", "pattern", "behavior", "invert"])
    return Split(
      pattern: try Pattern(try field.member("pattern")),
      behavior: try behavior(field, else: nil), inverted: try field.bool("invert", default: false))
  }

  private static func behavior(
    _ field: Field, else fallback: Split.Behavior?
  ) throws(TokenizationError) -> Split.Behavior {
    if let fallback, field.optional("behavior") == nil { return fallback }
    let name = try field.member("behavior")
    guard let behavior = Split.Behavior(rawValue: try name.string) else {
      throw .unsupportedComponent(
        path: name.path, type: try name.string,
        supported: Split.Behavior.allCases.map(\.rawValue))
    }
    return behavior
  }
}

/// When `Metaspace` puts its mark before a text.
enum MetaspacePrefix: String, CaseIterable {
  case always, first, never

  /// Reads `prepend_scheme`; older files have `add_prefix_space` instead.
  init(_ field: Field) throws(TokenizationError) {
    guard let scheme = field.optional("prepend_scheme") else {
      self = try field.bool("add_prefix_space", default: true) ? .always : .never
      return
    }
    guard let known = MetaspacePrefix(rawValue: try scheme.string) else {
      throw .unsupportedComponent(
        path: scheme.path, type: try scheme.string, supported: Self.allCases.map(\.rawValue))
    }
    self = known
  }
}

extension ScalarClass {
  /// ASCII punctuation and symbols, and the general categories P elsewhere.
  fileprivate static let punctuation = ScalarClass([
    .range(0x21...0x2f), .range(0x3a...0x40), .range(0x5b...0x60), .range(0x7b...0x7e),
    .categories(CategorySet(named: "P"), negated: false),
  ])
}
