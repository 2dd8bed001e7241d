/// What SentencePiece does to a text before it is cut: replacements by a table, extra spaces
/// removed, a mark in front (or behind), spaces as "▁".
///
/// Source: `Normalizer::Normalize` of the library.
struct SentencePieceNormalizer: Sendable {
  /// The members of `normalizer_spec`, and where the mark goes.
  struct Rules: Sendable {
    /// Replacements, the longest at each place; nil for none.
    var map: CharacterMap?
    /// Whether a "▁" is added to a text.
    var addsMark = true
    /// Whether it is added behind.
    var marksEnd = false
    /// Whether runs of spaces become one, and those at both ends none.
    var removesExtraSpaces = true
  }

  var rules: Rules
  /// Tokens that are kept as they are.
  var kept: AddedTokenFinder
  /// Whether every part of a text between special tokens gets its mark, not only the first.
  var marksEveryPart = false

  static let mark = Array("▁".utf8)

  /// - Parameter isStart: whether the text begins here, so that the mark is due.
  func apply(to text: [UInt8], isStart: Bool) -> [UInt8] {
    var normal: [UInt8] = []
    normal.reserveCapacity(text.count + text.count / 4)
    var position = 0
    while rules.removesExtraSpaces, position < text.count {
      var after = position
      guard next(text, &after).elementsEqual([0x20]) else { break }
      position = after
    }
    if position == text.count { return [] }
    let marks = rules.addsMark && (isStart || marksEveryPart)
    if marks, !rules.marksEnd { normal += Self.mark }
    var followsSpace = rules.removesExtraSpaces
    while position < text.count {
      var piece = next(text, &position)
      while followsSpace, piece.first == 0x20 { piece = piece.dropFirst() }
      for byte in piece {
        if byte == 0x20 { normal += Self.mark } else { normal.append(byte) }
      }
      if let last = piece.last { followsSpace = rules.removesExtraSpaces && last == 0x20 }
    }
    while rules.removesExtraSpaces, normal.suffix(Self.mark.count) == Self.mark[...] {
      normal.removeLast(Self.mark.count)
    }
    if marks, rules.marksEnd { normal += Self.mark }
    return normal
  }

  /// What the text at `position` becomes: a kept token, the replacement of the longest text of the
  /// table, or the scalar.
  private func next(_ text: [UInt8], _ position: inout Int) -> ArraySlice<UInt8> {
    if let (_, length) = kept.token(in: text, at: position) {
      defer { position += length }
      return text[position..<position + length]
    }
    if let (length, replacement) = rules.map?.longest(in: text[position...]) {
      position += length
      return replacement
    }
    let length = text.scalar(at: position, end: text.count)?.length ?? 1
    defer { position += length }
    return text[position..<position + length]
  }
}
