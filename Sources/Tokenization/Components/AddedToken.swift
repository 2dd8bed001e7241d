/// A token that is looked for in the text before the model sees it.
public struct AddedToken: Sendable, Hashable {
  public var id: Int
  public var text: String
  /// Whether decoding may leave it out.
  public var isSpecial: Bool
  /// Whether it is looked for in the normalised text instead of the text as given.
  public var isNormalized: Bool
  /// Whether it takes the white space before it, and after it.
  public var stripsLeft: Bool
  public var stripsRight: Bool
  /// Whether it is found only where no word continues on either side.
  public var isSingleWord: Bool

  /// A token that takes nothing around it, looked for in the text as given.
  init(_ text: String, id: Int, isSpecial: Bool) {
    self.id = id
    self.text = text
    self.isSpecial = isSpecial
    (isNormalized, stripsLeft, stripsRight, isSingleWord) = (false, false, false, false)
  }

  /// Reads an element of the member `added_tokens` of a tokenizer file.
  init(_ field: Field) throws(TokenizationError) {
    try self.init(field, id: try field.member("id").int)
  }

  /// Reads an element whose id stands elsewhere.
  init(_ field: Field, id: Int) throws(TokenizationError) {
    self.id = id
    text = try field.member("content").string
    isSpecial = try field.bool("special", default: false)
    isNormalized = try field.bool("normalized", default: !isSpecial)
    stripsLeft = try field.bool("lstrip", default: false)
    stripsRight = try field.bool("rstrip", default: false)
    isSingleWord = try field.bool("single_word", default: false)
  }
}
