import Testing

@testable import Reporting

/// Ranges, ticks and their numbers.
struct AxisTests {
  @Test func `linear ticks are round and cover the values`() {
    let axis = Axis("x", covering: [0.567, .nan, 0.674])
    #expect(axis.range == 0.56...0.68)
    #expect(axis.ticks.map(axis.text) == ["0.56", "0.58", "0.60", "0.62", "0.64", "0.66", "0.68"])
    let negative = Axis("x", covering: [-7, 12])
    #expect(negative.ticks.map(negative.text) == ["−10", "−5", "0", "5", "10", "15"])
  }

  @Test func `an exact axis ends with its values`() {
    let layers = Axis(
      "layer", covering: [-0.5, 2.5], isExact: true, wholeNumbers: true, most: 12)
    #expect(layers.range == -0.5...2.5)
    #expect(layers.ticks == [0, 1, 2])
    #expect(layers.position(1) == 0.5)
    #expect(layers.position(3) == nil)
  }

  @Test func `logarithmic ticks are powers of ten`() {
    let axis = Axis("y", covering: [0, -1, 3e-7, 0.4], scale: .logarithmic)
    #expect(axis.ticks.map(axis.text) == ["10⁻⁷", "10⁻⁵", "0.001", "0.1"])
    #expect(axis.position(0) == nil)
    #expect(axis.position(1) == 1)
    let short = Axis("y", covering: [1, 200], scale: .logarithmic, isExact: true)
    #expect(short.ticks.map(short.text) == ["1", "2", "5", "10", "20", "50", "100", "200"])
  }

  @Test(
    arguments: [[], [.nan], [3], [0, 0], [1e300], [1e-300], [5, 5 + 1e-12], [-1.7e308, 1.7e308]]
      as [[Double]])
  func `any values give an axis`(_ values: [Double]) {
    for scale in [Axis.Scale.linear, .logarithmic] {
      for isExact in [false, true] {
        let axis = Axis("x", covering: values, scale: scale, isExact: isExact)
        #expect(axis.range.lowerBound <= axis.range.upperBound)
        #expect(axis.ticks.count < 30)
        for value in values { #expect(axis.position(value).map { $0 >= -1e-9 && $0 <= 1 } ?? true) }
      }
    }
  }
}
