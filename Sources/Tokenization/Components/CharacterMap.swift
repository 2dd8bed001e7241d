import Foundation

/// SentencePiece's table of replacements (`precompiled_charsmap`): a trie of texts, each with the
/// place of its replacement.
///
/// Layout: the bytes of the trie (u32, little-endian), its units (u32; a double array as in Yata's
/// Darts-clone), then the replacements, each ended by a zero byte.
struct CharacterMap: Sendable {
  private let units: [UInt32]
  private let texts: [UInt8]

  /// Only characters of fewer bytes are looked up whole; the scalars of others one by one.
  private static let wholeBytes = 6

  /// Reads the member `precompiled_charsmap` of a tokenizer file.
  init(_ field: Field) throws(TokenizationError) {
    guard let data = Data(base64Encoded: try field.string) else {
      throw Self.malformed("something else", path: field.path)
    }
    try self.init(bytes: Array(data), path: field.path)
  }

  /// Reads a table; `path` is where it stands in its file, for errors.
  init(bytes: [UInt8], path: String) throws(TokenizationError) {
    guard bytes.count >= 4 else { throw Self.malformed("\(bytes.count) bytes", path: path) }
    func unit(_ index: Int) -> UInt32 {
      bytes[index..<index + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    let size = Int(unit(0))
    guard size > 0, size % 4 == 0, size <= bytes.count - 4 else {
      throw Self.malformed("a trie of \(size) bytes in \(bytes.count)", path: path)
    }
    units = (0..<size / 4).map { unit(4 + 4 * $0) }
    texts = Array(bytes[(4 + size)...])
    guard String(validating: texts, as: UTF8.self) != nil else {
      throw Self.malformed("no UTF-8", path: path)
    }
  }

  private static func malformed(_ found: String, path: String) -> TokenizationError {
    .wrongType(path: path, expected: "a table of replacements", found: found)
  }

  /// The text with replacements made, as the reference library makes them.
  func apply(to text: [UInt8]) -> [UInt8] {
    var replaced: [UInt8] = []
    replaced.reserveCapacity(text.count)
    for character in String(decoding: text, as: UTF8.self) {
      let whole = Array(character.utf8)
      if whole.count < Self.wholeBytes, let replacement = replacement(of: whole[...]) {
        replaced += replacement
        continue
      }
      whole.forEachScalar(in: whole.indices) { _, range in
        replaced += replacement(of: whole[range]) ?? whole[range]
      }
    }
    return replaced
  }

  /// The longest text of the trie that `text` begins with: its length and its replacement, as
  /// SentencePiece itself looks.
  func longest(in text: ArraySlice<UInt8>) -> (length: Int, replacement: ArraySlice<UInt8>)? {
    var longest: (Int, ArraySlice<UInt8>)?
    forEachPrefix(of: text) {
      longest = ($0, $1); return true
    }
    return longest
  }

  /// The replacement of the shortest text of the trie that `key` begins with.
  private func replacement(of key: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    var shortest: ArraySlice<UInt8>?
    forEachPrefix(of: key) {
      shortest = $1; return false
    }
    return shortest
  }

  /// Calls `body` with each text of the trie that `key` begins with, shortest first, until it
  /// returns false.
  private func forEachPrefix(
    of key: ArraySlice<UInt8>,
    _ body: (_ length: Int, _ replacement: ArraySlice<UInt8>) -> Bool
  ) {
    var node = 0
    guard var offset = units.first.map(Self.offset) else { return }
    for (length, byte) in key.enumerated() {
      // A zero byte ends the texts of the trie: none holds one.
      if byte == 0 { return }
      node ^= offset ^ Int(byte)
      guard node < units.count, units[node] & 0x8000_00ff == UInt32(byte) else { return }
      offset = Self.offset(units[node])
      let hasLeaf = units[node] >> 8 & 1 == 1
      guard hasLeaf else { continue }
      let leaf = node ^ offset
      guard leaf < units.count else { return }
      let start = Int(units[leaf] & 0x7fff_ffff)
      let replacement = texts[min(start, texts.count)...].prefix { $0 != 0 }
      guard body(length + 1, replacement) else { return }
    }
  }

  private static func offset(_ unit: UInt32) -> Int {
    Int((unit >> 10) << ((unit & 1 << 9) >> 6))
  }
}
