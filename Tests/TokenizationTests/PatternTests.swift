import Testing

@testable import Tokenization

@Suite struct PatternTests {
  private func matches(_ regex: String, _ text: String) throws -> [String] {
    let bytes = Array(text.utf8)
    var found: [String] = []
    let pattern = try Pattern(regex: regex, path: "")
    pattern.forEachPart(of: bytes, in: bytes.indices) { range, isMatch in
      if isMatch { found.append(String(decoding: bytes[range], as: UTF8.self)) }
    }
    return found
  }

  @Test(arguments: [
    ("a|ab", "ab", ["a"]),  // The first alternative, not the longest.
    ("(?:ab?)+c?", "ababc", ["ababc"]),
    (#"\p{N}{1,3}"#, "12345 ٣", ["123", "45", "٣"]),
    (#"\s+(?!\S)|\s+"#, "a   b  ", ["  ", " ", "  "]),
    ("x(?=y)", "xyxz", ["x"]),
    ("(?i:'S|ll)", "'s'S'ſLLlL", ["'s", "'S", "'ſ", "LL", "lL"]),
    (#"[^\s\p{L}\-]"#, "a-é9 \u{301}", ["9", "\u{301}"]),
    (#"[a-c\]\x{1F44D}]{2,}"#, "ab]👍 a", ["ab]👍"]),
    (#"\w+"#, "né_1²-", ["né_1²"]),
    (".b", "ab\nb", ["ab"]),
    ("(?:a|b){2}", "abab a", ["ab", "ab"]),
    (#"\P{L}"#, "a1", ["1"]),
  ])
  func matchesAsABacktrackingEngine(_ regex: String, _ text: String, _ found: [String]) throws {
    #expect(try matches(regex, text) == found)
  }

  @Test(arguments: [
    "a*", "", "a??b", "a++", "(?<n>a)", "(?<=a)b", #"\1"#, "^a", "a$", "(a", "a)", "[a", "[b-a]",
    #"\p{Nope}"#, "a{3,2}", "a{,}", "(?i)a", "[a&&b]", "[[:alpha:]]", "(?!ab)c", "(?i:é)", #"\q"#,
    #"\x9"#, "a{9999}{9}", "*a", "(?:(?:a{99999})",
  ])
  func refusesWhatItDoesNotKnow(_ regex: String) {
    #expect(throws: TokenizationError.self) { try Pattern(regex: regex, path: "here") }
  }

  @Test func groupsCannotExhaustTheStack() {
    let regex = String(repeating: "(", count: 8000) + "a" + String(repeating: ")", count: 8000)
    #expect(throws: TokenizationError.self) { try Pattern(regex: regex, path: "") }
  }

  /// A backtracking engine takes 2^40 steps here.
  @Test func hostilePatternsTakeLinearTime() throws {
    let text = String(repeating: "a", count: 40)
    #expect(try matches("(?:a|a)+(?:a|a)+(?:aa?)+b", text).isEmpty)
  }

  @Test(arguments: [
    ([UInt8]("aé".utf8), 0), ([0x61, 0xc3], 1), ([0xe4, 0xbd], 2), ([0xf0, 0x9f, 0x91], 3),
    ([0xe0, 0x80], 0), ([0xed, 0xa0], 0), ([0xf4, 0x90], 0), ([0xc0], 0), ([0xff], 0),
    ([0x80, 0x80, 0x80, 0x80], 0), ([], 0), ([0xf0], 1),
  ])
  func unfinishedTailIsWhatMoreBytesCanComplete(_ bytes: [UInt8], _ length: Int) {
    #expect(bytes.unfinishedTail == length)
  }
}
