import Testing

@testable import Pipeline

/// About how long a sweep still takes, told by its first layers.
struct ForecastTests {
  /// What is said after each of `layers` that take so many seconds, of `count` of one kind.
  private func said(_ layers: [Double], of count: Int) -> [String?] {
    var forecast = Forecast()
    let kinds = [String](repeating: "dense", count: count)
    return layers.enumerated().map {
      forecast.left(after: $0.offset, of: kinds, seconds: $0.element)
    }
  }

  @Test func `it is told once, after a long layer or after the second short one`() {
    #expect(said([20, 20, 20], of: 10) == ["about 3 min left", nil, nil])
    // The first layer is slow because nothing is in memory yet.
    #expect(said([6, 1, 1], of: 100) == [nil, "about 2 min left", nil])
    #expect(said([36, 36], of: 1001) == ["about 10.0 h left", nil])
  }

  @Test func `what takes seconds is not told`() {
    #expect(said([4, 4, 4, 4], of: 4).allSatisfy { $0 == nil })
    #expect(said([20, 20], of: 2).allSatisfy { $0 == nil })
  }

  @Test func `layers of every kind have to be seen`() {
    let kinds = ["dense", "dense", "experts", "experts", "dense", "experts", "experts"]
    var forecast = Forecast()
    #expect(forecast.left(after: 0, of: kinds, seconds: 1) == nil)
    #expect(forecast.left(after: 1, of: kinds, seconds: 1) == nil)
    #expect(forecast.left(after: 2, of: kinds, seconds: 80) == "about 4 min left")
    #expect(forecast.left(after: 3, of: kinds, seconds: 80) == nil)
  }
}
