import Foundations
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
    // Possessive: nothing is given back; `{1,3}+` repeats the repetition instead.
    ("a++a|b", "aab", ["b"]), ("a?+a", "a aa", ["aa"]), ("x*+y", "xxyx", ["xxy"]),
    ("a{1,3}+", "aaaaaaab", ["aaaaaaa"]),
    ("a+?b|a", "aab", ["aab"]), ("a{1,3}?", "aaa", ["a", "a", "a"]), ("ba??", "ba", ["b"]),
    ("a{2}?b", "aabb", ["aab", "b"]),
    (#"\s+$"#, "a  b \n ", [" \n "]), ("a+$", "aa\nbaab", ["aa"]),
    ("^a", "aa\na\nba", ["a", "a"]), (#"\Aa|a\z"#, "aaa", ["a", "a"]),
    (#"a\n?\Z"#, "a\n", ["a\n"]), (#"\bfoo\b|\Bx"#, "foo food xx", ["foo", "x"]),
    ("(?<=a)b|(?<!a)c", "abcac", ["b", "c"]),
    (#"\p{Han}+"#, "a漢字か", ["漢字"]), (#"\p{Hiragana}|\p{katakana}"#, "かカk", ["か", "カ"]),
    (#"[\p{Hangul}\p{Cyrl}]+"#, "한Я a", ["한Я"]), (#"\P{Latin}"#, "aя", ["я"]),
    (#"\p{Script=Greek}|\p{sc=Arab}"#, "αbع", ["α", "ع"]), (#"\p{^Han}"#, "漢a", ["a"]),
    (#"\p{Uppercase_Letter}\p{letter}"#, "aBc", ["Bc"]),
    (#"[\p{L}&&[^\p{Han}]]+"#, "ab漢c", ["ab", "c"]), ("[a-z&&aeiou]", "abe", ["a", "e"]),
    (#"[^(\s|[.,!?])]+"#, "a (b|c).", ["a", "b", "c"]),
    ("b(?:|a)+", "baa", ["b"]), ("(?:a*)*b|a", "aab", ["aab"]), ("(?:a|b?)+c", "abc", ["abc"]),
  ])
  func matchesAsABacktrackingEngine(_ regex: String, _ text: String, _ found: [String]) throws {
    #expect(try matches(regex, text) == found)
  }

  @Test(arguments: [
    "a*", "", "a??", "(?:ab)++", "a+*", "a??b*", "(?<n>a)", "(?>a)", #"\1"#, "^", "$*a", "(a", "a)",
    "[a", "[b-a]", "(?<=ab)c", "[a&&]", "[&&a]", #"\p{}"#, #"\p{Script=L}"#,
    #"\p{Nope}"#, "a{3,2}", "a{,}", "(?i)a", "[[:alpha:]]", "(?!ab)c", "(?i:é)", #"\q"#,
    #"\x9"#, "a{9999}{9}", "*a", "(?:(?:a{99999})",
  ])
  func refusesWhatItDoesNotKnow(_ regex: String) {
    #expect(throws: TokenizationError.self) { try Pattern(regex: regex, path: "here") }
  }

  @Test func groupsCannotExhaustTheStack() {
    let regex = String(repeating: "(", count: 8000) + "a" + String(repeating: ")", count: 8000)
    #expect(throws: TokenizationError.self) { try Pattern(regex: regex, path: "") }
  }

  /// What is tried from one place is not tried again from the next: the square of this text is
  /// 10^10, and a backtracking engine takes 2^100000 steps for some of these.
  @Test(arguments: [
    "(?:a|a)+(?:a|a)+(?:aa?)+b", "(?:a+)+b", "[\\s\\S]*\u{1}", "[\\s\\S]*+\u{1}", "(?:.+?)+?z",
    "(?:(?:(?:a*)*)*)*b", "(?:a{2,}a?)*?b",
  ])
  func hostilePatternsTakeLinearTime(_ regex: String) throws {
    let text = String(repeating: "a", count: 100_000)
    #expect(try matches(regex, text).isEmpty)
    #expect(try matches(regex + "|a", text).count == text.count)
  }

  @Test(arguments: [
    "(?:(?:(?:(?:a{0}){9999}){9999}){9999}){9999}b", "(?:(?:(?:a?){99}){99}){99}b", "a{99999}",
    "(?:ab){9999}",
  ])
  func largeProgramsAreRefused(_ regex: String) {
    #expect(throws: TokenizationError.self) { try Pattern(regex: regex, path: "") }
  }

  /// Classes in classes are looked at too.
  @Test func classesOfManyClassesAreRefused() {
    let classes = String(repeating: "[[[[[a]]]]]", count: 600)
    #expect(throws: TokenizationError.self) { try Pattern(regex: classes + "b", path: "") }
  }

  /// Remembering what failed changes how long a match takes and nothing else. (Without any, some
  /// of these patterns take exponential time.)
  @Test func rememberingChangesNoMatch() throws {
    var random = SplitMix64(seed: 7)
    func pick<T>(_ values: [T]) -> T { values[Int(random.next() % UInt64(values.count))] }
    func pattern(_ depth: Int) -> String {
      (0..<Int(random.next() % 3) + 1).map { _ in
        let atom =
          depth > 0 && random.next() % 2 == 0
          ? "(?:\(pattern(depth - 1))|\(pattern(depth - 1)))" : pick(["a", "b", ".", "[^a]", "é"])
        return atom + pick(["", "", "?", "*", "+", "*?", "+?", "{2,}", "{1,2}"])
      }.joined()
    }
    var compared = 0
    for _ in 0..<400 {
      guard let compiled = try? Pattern(regex: pattern(3), path: "") else { continue }
      let bytes = (0..<24).flatMap { _ in Array(pick(["a", "a", "b", "é", "c"]).utf8) }
      let parts = [1, 1 << 12].map { steps in
        var parts: [Range<Int>] = []
        var matcher = compiled.matcher(freeSteps: steps)
        matcher.forEachPart(of: bytes, in: bytes.indices) { range, _ in parts.append(range) }
        return parts
      }
      #expect(parts[0] == parts[1])
      compared += 1
    }
    #expect(compared > 100)
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
