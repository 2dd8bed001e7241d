import Testing

@testable import Tokenization

/// Unicode normal forms, above all where libraries have been wrong.
struct UnicodeFormTests {
  private func scalars(_ text: String, _ form: UnicodeForm) -> [UInt32] {
    String(decoding: form.apply(to: Array(text.utf8)), as: UTF8.self).unicodeScalars.map(\.value)
  }

  @Test(
    arguments: [
      // Composed and decomposed letters, and a compatibility form.
      ("é", [0xe9], [0x65, 0x301], [0xe9], [0x65, 0x301]),
      ("ﬁ²", [0xfb01, 0xb2], [0xfb01, 0xb2], [0x66, 0x69, 0x32], [0x66, 0x69, 0x32]),
      // Marks are put in the order of their classes.
      (
        "a\u{301}\u{323}", [0x1ea1, 0x301], [0x61, 0x323, 0x301], [0x1ea1, 0x301],
        [0x61, 0x323, 0x301]
      ),
      // A Hangul syllable with a final consonant, from its parts.
      (
        "\u{1112}\u{1161}\u{11ab}", [0xd55c], [0x1112, 0x1161, 0x11ab], [0xd55c],
        [0x1112, 0x1161, 0x11ab]
      ),
      // A mark whose parts have different classes, after one that belongs between them.
      (
        "\u{f40}\u{f74}\u{f73}", [0xf40, 0xf71, 0xf72, 0xf74], [0xf40, 0xf71, 0xf72, 0xf74],
        [0xf40, 0xf71, 0xf72, 0xf74], [0xf40, 0xf71, 0xf72, 0xf74]
      ),
      // Compatibility forms whose parts are decomposed further.
      ("\u{1fcf}", [0x1fcf], [0x1fbf, 0x342], [0x20, 0x313, 0x342], [0x20, 0x313, 0x342]),
      // A letter beyond 16 bits is not the one of its lower bits.
      (
        "\u{20053}\u{307}", [0x20053, 0x307], [0x20053, 0x307], [0x20053, 0x307], [0x20053, 0x307]
      ),
      // What came after Unicode 9 the `tokenizers` library leaves alone, and marks around it.
      (
        "a\u{1e130}\u{316}\u{32ff}\u{301}\u{a7f8}",
        [0x61, 0x1e130, 0x316, 0x32ff, 0x301, 0xa7f8],
        [0x61, 0x1e130, 0x316, 0x32ff, 0x301, 0xa7f8],
        [0x61, 0x1e130, 0x316, 0x32ff, 0x301, 0x126],
        [0x61, 0x1e130, 0x316, 0x32ff, 0x301, 0x126]
      ),
      // Excluded from composition.
      ("\u{958}", [0x915, 0x93c], [0x915, 0x93c], [0x915, 0x93c], [0x915, 0x93c]),
      ("", [], [], [], []),
    ] as [(String, [UInt32], [UInt32], [UInt32], [UInt32])])
  func `each form`(
    _ text: String, _ nfc: [UInt32], _ nfd: [UInt32], _ nfkc: [UInt32], _ nfkd: [UInt32]
  ) {
    #expect(scalars(text, .nfc) == nfc)
    #expect(scalars(text, .nfd) == nfd)
    #expect(scalars(text, .nfkc) == nfkc)
    #expect(scalars(text, .nfkd) == nfkd)
    // Between letters that stay as they are, the same.
    #expect(scalars("x\(text)你", .nfc) == [0x78] + nfc + [0x4f60])
  }

  @Test func `bytes that are no text are replaced`() {
    for form in [UnicodeForm.nfc, .nfd, .nfkc, .nfkd] {
      let text = String(decoding: form.apply(to: [0xcc, 0x61, 0xff, 0xcc, 0x81]), as: UTF8.self)
      #expect(text.contains("a") && text.contains("\u{fffd}"), "\(form)")
    }
  }
}
