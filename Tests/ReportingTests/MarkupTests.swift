import Testing

@testable import Reporting

/// What stands in a literal is markup, what is interpolated is text.
struct MarkupTests {
  @Test func `interpolated text is escaped, markup is not`() {
    let hostile = "<script>alert(\"a\" & 'b')</script>"
    let part: Markup = "<b>\(hostile)</b>"
    let whole: Markup = "<p title=\"\(hostile)\">\(part)</p>"
    let escaped = "&lt;script&gt;alert(&quot;a&quot; &amp; &#39;b&#39;)&lt;/script&gt;"
    #expect(whole.source == "<p title=\"\(escaped)\"><b>\(escaped)</b></p>")
  }

  @Test func `characters that XML forbids are replaced`() {
    let text: Markup = "\("a\u{0}\u{1b}\u{8}\u{7f}\u{ffff}b\n\té🦊")"
    #expect(text.source == "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}b\n\té🦊")
  }

  @Test func `coordinates are short`() {
    let text: Markup = "\(1.0) \(0.125) \(-3.10) \(100.0) \(-0.001) \(7)"
    #expect(text.source == "1 0.12 -3.1 100 0 7")
  }

  @Test func `pieces are joined`() {
    #expect(Markup(["a", "<b/>", "\("<")"], separator: ", ").source == "a, <b/>, &lt;")
    #expect(Markup([]).source == "")
  }
}
