/// The special tokens around an encoded text.
struct PostProcessor: Sendable {
  var prefix: [Int] = []
  var suffix: [Int] = []

  private static let supported = [
    "Sequence", "TemplateProcessing", "ByteLevel", "RobertaProcessing", "BertProcessing",
  ]

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
    case "RobertaProcessing", "BertProcessing":
      prefix = [try Self.id(of: try field.member("cls"))]
      suffix = [try Self.id(of: try field.member("sep"))]
    default:
      throw .unsupportedComponent(path: field.path, type: type, supported: Self.supported)
    }
  }

  /// The id in `["<s>", 0]`.
  private static func id(of field: Field) throws(TokenizationError) -> Int {
    let pair = try field.elements
    guard pair.count == 2 else {
      throw .wrongType(path: field.path, expected: "a token and its id", found: "\(pair.count)")
    }
    return try pair[1].int
  }

  /// Refuses ids that stand for no token: they would be printed as they are.
  func check(_ vocabulary: Vocabulary) throws(TokenizationError) {
    for id in prefix + suffix where vocabulary.token(of: id) == nil {
      throw .idOfNoToken(id: id, path: "post_processor")
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
