import Testing

@testable import Verification

/// Figures of tasks from those of single questions.
struct TaskFigureTests {
  @Test func `shares have the error of a mean`() throws {
    let figure = TaskFigure(.accuracy, of: [1, 0, 0, 1, 1, 0, 0, 0])
    #expect(figure.value == 0.375)
    // statistics.stdev in Python, by the root of 8.
    #expect(abs(try #require(figure.standardError) - 0.18298126367784995) < 1e-15)
    #expect(TaskFigure(.exactMatch, of: [1]).standardError == nil)
  }

  @Test func `a perplexity has the error of resamples that Python draws`() throws {
    let figure = TaskFigure(.perplexity, of: [-1.5, -0.25, -3, -2.125, -0.5], rounds: 2)
    #expect(abs(figure.value - 4.371035772929758) < 1e-12)
    #expect(abs(try #require(figure.standardError) - 2.36847824557625) < 1e-9)
  }

  @Test(arguments: [
    ("Yes.", "yes", ["case", "punctuation"], true), ("Yes.", "yes", ["case"], false),
    ("a1 b2", "a b", ["numbers"], true), ("a1 b2", "a b", [], false),
    ("~`a^", "a", ["punctuation"], true),
    ("\u{201c}a\u{201d}", "a", ["punctuation"], false), ("e\u{301}", "\u{e9}", ["case"], false),
    ("12", "34", ["punctuation"], false), (" a", "a", ["case", "punctuation", "numbers"], false),
  ])
  func `texts match as asked`(
    _ answer: String, _ expected: String, _ ignored: [String], _ isMatch: Bool
  ) {
    var match = TextMatch()
    match.ignoresCase = ignored.contains("case")
    match.ignoresPunctuation = ignored.contains("punctuation")
    match.ignoresNumbers = ignored.contains("numbers")
    #expect(match.matches(answer, expected) == isMatch)
  }

  @Test func `an answer ends at the first text that stops it`() {
    #expect(TaskRun.cut("one. two\n", at: ["\n", "."]) == "one")
    #expect(TaskRun.cut("one", at: ["\n", "."]) == nil)
    #expect(TaskRun.cut("caf\u{e9}e\u{301}", at: ["\u{301}"]) == "caf\u{e9}e")
    #expect(TaskRun.cut(".", at: ["."]) == "")
  }
}
