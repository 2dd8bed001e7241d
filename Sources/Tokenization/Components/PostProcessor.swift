/// The special tokens around an encoded text.
struct PostProcessor: Sendable {
  var prefix: [Int] = []
  var suffix: [Int] = []

  private static let supported = ["Sequence", "TemplateProcessing", "ByteLevel"]

  init() {}

  /// Reads the member `post_processor` of a tokenizer file, for single texts.
  init(_ field: Field?) throws(TokenizationError) {
    guard let field else { return }
    let type = try field.member("type").string
    switch type {
    case "ByteLevel": break  // It only adjusts offsets, which we do not report.
    case "Sequence":
      for element in try field.member("processors").elements {
        let processor = try PostProcessor(element)
        prefix = processor.prefix + prefix
        suffix += processor.suffix
      }
    case "TemplateProcessing": try readTemplate(field)
    default:
      throw .unsupportedComponent(path: field.path, type: type, supported: Self.supported)
    }
  }

  private mutating func readTemplate(_ field: Field) throws(TokenizationError) {
    var texts = 0
    for part in try field.member("single").elements {
      if part.optional("Sequence") != nil {
        texts += 1
        continue
      }
      let name = try part.member("SpecialToken").member("id").string
      let ids = try field.member("special_tokens").member(name).member("ids")
      for id in try ids.elements {
        if texts == 0 { prefix.append(try id.int) } else { suffix.append(try id.int) }
      }
    }
    guard texts == 1 else {
      throw .unsupportedOption(
        path: "\(field.path).single", value: "\(texts) sequences", reason: "expected one")
    }
  }
}
