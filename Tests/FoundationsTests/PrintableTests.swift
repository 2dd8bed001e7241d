import Foundations
import Testing

/// Names from strangers on a terminal.
struct PrintableTests {
  @Test(arguments: [
    ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"), ("a\nb", "a\\u{a}b"), ("\u{9b}1m", "\\u{9b}1m"),
    ("a\u{202e}b", "a\\u{202e}b"), ("\u{7f}", "\\u{7f}"), ("", ""),
  ])
  func `what acts on a terminal becomes its code`(_ text: String, _ shown: String) {
    #expect(text.printable == shown)
  }

  @Test func `what is only shown stays`() {
    let text = "model.layers.0 – naïve 日本語 🙂"
    #expect(text.printable == text)
  }

  @Test func `lines stay lines`() {
    #expect("a\n\tb\u{1b}\r".printableLines == "a\n\tb\\u{1b}\\u{d}")
    // An emoji of several parts is held together by an invisible character.
    #expect("👩‍🔬".printableLines == "👩‍🔬")
  }
}
