import Foundation
import Testing

@testable import Pipeline

/// About how long work still takes, told by its first units.
struct ForecastTests {
  private let start = Date(timeIntervalSince1970: 0)

  /// What is said while a unit of `share` ends at each of `times`.
  private func said(_ share: Double, _ times: [Double]) -> [String?] {
    var forecast = Forecast()
    return ([0] + times).enumerated().map { index, time in
      forecast.left(after: share * Double(index), at: start + time)
    }
  }

  @Test func `it is told once, after a long unit or after the first short one`() {
    #expect(said(0.1, [20, 40, 60]) == [nil, "about 3 min left", nil, nil])
    // The first unit is slow because nothing is in memory yet.
    #expect(said(0.01, [6, 7, 8.5, 9]) == [nil, nil, nil, "about 2 min left", nil])
    #expect(said(0.001, [36, 72]) == [nil, "about 10.0 h left", nil])
    #expect(said(0.1, [3, 8]) == [nil, nil, "about 40 s left"])
  }

  @Test func `what takes seconds is not told`() {
    #expect(said(0.25, [5, 9, 13, 17]).allSatisfy { $0 == nil })
    #expect(said(0.5, [20, 40]).allSatisfy { $0 == nil })
  }

  @Test func `what an earlier run did takes this one no time`() {
    var forecast = Forecast()
    #expect(forecast.left(after: 0.5, at: start) == nil)
    #expect(forecast.left(after: 0.6, at: start + 30) == "about 2 min left")
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
