/// Finds a text in others in time proportional to their lengths (Knuth, Morris, Pratt 1977).
struct TextSearch {
  private let wanted: [Unicode.Scalar]
  /// For each length of a beginning: that of the longest beginning that also ends it.
  private let borders: [Int]

  init(_ wanted: [Unicode.Scalar]) {
    self.wanted = wanted
    var borders = [Int](repeating: 0, count: wanted.count + 1)
    var length = 0
    for index in wanted.indices.dropFirst() {
      while length > 0, wanted[index] != wanted[length] { length = borders[length] }
      if wanted[index] == wanted[length] { length += 1 }
      borders[index + 1] = length
    }
    self.borders = borders
  }

  /// Where the text begins for the first time at or after `start`; nil if it does not, or is
  /// empty.
  func next(in text: [Unicode.Scalar], from start: Int) -> Int? {
    if wanted.isEmpty { return nil }
    var length = 0
    for index in start..<max(start, text.count) {
      while length > 0, text[index] != wanted[length] { length = borders[length] }
      if text[index] == wanted[length] { length += 1 }
      if length == wanted.count { return index + 1 - length }
    }
    return nil
  }
}
