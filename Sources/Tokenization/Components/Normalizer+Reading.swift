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

extension Pattern {
  /// Reads `{"Regex": …}` or `{"String": …}`.
  init(_ field: Field) throws(TokenizationError) {
    if let regex = field.optional("Regex") {
      try self.init(regex: try regex.string, path: regex.path)
    } else {
      let literal = try field.member("String")
      try self.init(literal: try literal.string, path: literal.path)
    }
  }
}
