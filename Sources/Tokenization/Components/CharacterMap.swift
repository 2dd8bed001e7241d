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
    func malformed(_ found: String) -> TokenizationError {
      .wrongType(path: field.path, expected: "a table of replacements in base64", found: found)
    }
    guard let data = Data(base64Encoded: try field.string), data.count >= 4 else {
      throw malformed("something else")
    }
    let bytes = Array(data)
    func unit(_ index: Int) -> UInt32 {
      bytes[index..<index + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    let size = Int(unit(0))
    guard size > 0, size % 4 == 0, size <= bytes.count - 4 else {
      throw malformed("a trie of \(size) bytes in \(bytes.count)")
    }
    units = (0..<size / 4).map { unit(4 + 4 * $0) }
    texts = Array(bytes[(4 + size)...])
    guard String(validating: texts, as: UTF8.self) != nil else { throw malformed("no UTF-8") }
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

  /// The replacement of the shortest text of the trie that `key` begins with.
  private func replacement(of key: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    var node = 0
    guard var offset = units.first.map(Self.offset) else { return nil }
    for byte in key where byte != 0 {
      node ^= offset ^ Int(byte)
      guard node < units.count, units[node] & 0x8000_00ff == UInt32(byte) else { return nil }
      offset = Self.offset(units[node])
      let hasLeaf = units[node] >> 8 & 1 == 1
      guard hasLeaf else { continue }
      let leaf = node ^ offset
      guard leaf < units.count else { return nil }
      let start = Int(units[leaf] & 0x7fff_ffff)
      guard start < texts.count else { return [] }
      return texts[start...].prefix { $0 != 0 }
    }
    return nil
  }

  private static func offset(_ unit: UInt32) -> Int {
    Int((unit >> 10) << ((unit & 1 << 9) >> 6))
  }
}
