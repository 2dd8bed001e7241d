import Testing

@testable import Serving

struct StopMatcherTests {
  private func pieces(_ texts: [String], stops: [String]) -> (told: [String], stopped: Bool) {
    var matcher = StopMatcher(stops)
    var told = texts.map { matcher.append($0) }
    told.append(matcher.finish())
    return (told, matcher.hasStopped)
  }

  @Test func `a text without stops passes at once`() {
    #expect(pieces(["ab", "c"], stops: []).told == ["ab", "c", ""])
  }

  @Test func `what may begin a stop is held back until it is none`() {
    let found = pieces(["one\n", "two", "\n\nthree"], stops: ["\n\n"])
    #expect(found.told == ["one", "\ntwo", "", ""])
    #expect(found.stopped)
  }

  @Test func `what was held back comes at the end`() {
    let found = pieces(["one\n"], stops: ["\n\n"])
    #expect(found.told == ["one", "\n"])
    #expect(!found.stopped)
  }

  @Test func `the earliest of several counts, within one piece and across them`() {
    #expect(pieces(["abcdef"], stops: ["ef", "cd"]).told == ["ab", ""])
    #expect(pieces(["a", "b", "c", "d"], stops: ["bcd"]).told == ["a", "", "", "", ""])
  }

  @Test func `characters of several bytes stay whole`() {
    #expect(pieces(["naïve é", "é!"], stops: ["éé"]).told == ["naïve ", "", ""])
  }
}
