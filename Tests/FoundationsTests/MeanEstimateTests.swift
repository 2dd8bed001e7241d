import Foundations
import Testing

/// Means and their errors against numbers worked out by hand.
struct MeanEstimateTests {
  @Test func `values have the usual standard error`() {
    let estimate = MeanEstimate([1, 2, 3, 4])
    #expect(estimate.mean == 2.5)
    // sqrt(5 / 3 / 4)
    #expect(abs(estimate.standardError - 0.645_497_224_367_903) < 1e-15)
    #expect(abs(estimate.interval.lower - (2.5 - 1.96 * 0.645_497_224_367_903)) < 1e-12)
    #expect(abs(estimate.interval.upper - (2.5 + 1.96 * 0.645_497_224_367_903)) < 1e-12)
  }

  @Test func `groups of equal size are values of their means`() {
    let groups = MeanEstimate(sums: [3, 6, 12], counts: [3, 3, 3]), means = MeanEstimate([1, 2, 4])
    #expect(abs(groups.mean - means.mean) < 1e-15)
    #expect(abs(groups.standardError - means.standardError) < 1e-15)
  }

  @Test func `a small group counts less`() {
    let estimate = MeanEstimate(sums: [30, 0], counts: [9, 1])
    #expect(estimate.mean == 3)
    // Deviations 30 - 27 and 0 - 3: sqrt(18 · 2 / 1) / 10.
    #expect(abs(estimate.standardError - 0.6) < 1e-15)
  }

  @Test func `one group has no error`() {
    #expect(MeanEstimate([7]).mean == 7)
    #expect(MeanEstimate([7]).standardError.isNaN)
  }
}
