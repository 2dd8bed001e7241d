/// Finds added tokens in a text: leftmost first, the longest at each place.
struct AddedTokenFinder: Sendable {
  /// A part of a text: a token's id, or text in which there is no token.
  typealias Part = (range: Range<Int>, id: Int?)

  private var tokens: [ByteString: AddedToken] = [:]
  /// For each first byte, the lengths of the tokens that start with it, longest first.
  private var lengths = [[Int]](repeating: [], count: 256)

  /// - Parameter tokens: tokens with the text to look for.
  init(_ tokens: [(AddedToken, ByteString)]) {
    for (token, text) in tokens {
      guard let first = text.bytes.first else { continue }
      self.tokens[text] = token
      if !lengths[Int(first)].contains(text.count) { lengths[Int(first)].append(text.count) }
    }
    for index in lengths.indices { lengths[index].sort(by: >) }
  }

  /// Consecutive parts that cover the text.
  func parts(of bytes: [UInt8]) -> [Part] {
    var parts: [Part] = []
    var covered = 0
    var position = 0
    while position < bytes.count {
      guard let (token, length) = token(in: bytes, at: position) else {
        position += 1
        continue
      }
      var range = position..<position + length
      position = range.upperBound
      if token.isSingleWord, bytes.continuesWord(around: range) { continue }
      if token.stripsLeft {
        range = max(bytes.spaceStart(before: range.lowerBound), covered)..<range.upperBound
      }
      if token.stripsRight {
        range = range.lowerBound..<bytes.spaceEnd(after: range.upperBound)
        position = range.upperBound
      }
      if covered < range.lowerBound { parts.append((covered..<range.lowerBound, nil)) }
      parts.append((range, token.id))
      covered = range.upperBound
    }
    if covered < bytes.count { parts.append((covered..<bytes.count, nil)) }
    return parts
  }

  /// The longest token at `position`, and its length; nil if there is none.
  func token(in bytes: [UInt8], at position: Int) -> (AddedToken, Int)? {
    for length in lengths[Int(bytes[position])] where position + length <= bytes.count {
      if let token = tokens[ByteString(bytes[position..<position + length])] {
        return (token, length)
      }
    }
    return nil
  }
}

extension [UInt8] {
  fileprivate func continuesWord(around range: Range<Int>) -> Bool {
    let before = scalarStart(before: range.lowerBound, start: 0)
    if before < range.lowerBound, let read = scalar(at: before, end: count),
      read.scalar.continuesWord
    {
      return true
    }
    return scalar(at: range.upperBound, end: count)?.scalar.continuesWord ?? false
  }

  fileprivate func spaceStart(before position: Int) -> Int {
    var position = position
    while position > 0 {
      let start = scalarStart(before: position, start: 0)
      guard let read = scalar(at: start, end: count), read.scalar.properties.isWhitespace else {
        break
      }
      position = start
    }
    return position
  }

  fileprivate func spaceEnd(after position: Int) -> Int {
    var position = position
    while let read = scalar(at: position, end: count), read.scalar.properties.isWhitespace {
      position += read.length
    }
    return position
  }
}
