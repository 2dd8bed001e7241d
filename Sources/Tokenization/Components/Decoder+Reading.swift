extension Decoder {
  private static let supported = [
    "Sequence", "ByteLevel", "Metaspace", "ByteFallback", "Fuse", "Strip", "Replace",
  ]

  /// Reads the member `decoder` of a tokenizer file.
  init(_ field: Field?) throws(TokenizationError) {
    guard let field else { return }
    let type = try field.member("type").string
    switch type {
    case "Sequence":
      var all: [Step] = []
      for element in try field.member("decoders").elements {
        all += try Decoder(element).steps ?? []
      }
      steps = all
    case "ByteLevel": steps = [.byteAlphabet]
    case "ByteFallback": steps = [.byteFallback]
    case "Fuse": steps = [.fuse]
    case "Metaspace":
      let scheme = try MetaspacePrefix(field)
      steps = [
        .metaspace(mark: try field.member("replacement").scalar, prefixed: scheme != .never)
      ]
    case "Strip":
      steps = [
        .strip(
          try field.member("content").scalar, start: try Self.count(field, "start"),
          stop: try Self.count(field, "stop"))
      ]
    case "Replace":
      steps = [
        .replace(
          try Pattern(try field.member("pattern")),
          with: Array(try field.member("content").string.utf8))
      ]
    default:
      throw .unsupportedComponent(path: field.path, type: type, supported: Self.supported)
    }
  }

  /// How many scalars to strip; more than a token can hold is as good as the most it can.
  private static func count(_ field: Field, _ key: String) throws(TokenizationError) -> Int {
    let member = try field.member(key)
    let value = try member.int
    guard value >= 0 else {
      throw .unsupportedOption(path: member.path, value: "\(value)", reason: "it is negative")
    }
    return min(value, TokenizationLimits.tokenBytes)
  }
}
