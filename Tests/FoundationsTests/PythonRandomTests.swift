import Testing

@testable import Foundations

/// The numbers that Python 3 prints for `random.Random(seed).random()`.
struct PythonRandomTests {
  @Test func `draws what Python draws`() {
    var random = PythonRandom(seed: 0)
    #expect(
      (0..<3).map { _ in random.unit() } == [
        0.8444218515250481, 0.7579544029403025, 0.420571580830845,
      ])
    random = PythonRandom(seed: 7)
    #expect((0..<1000).map { _ in random.unit() }.last == 0.37786262968738116)
  }
}
