import TensorTypes
import TestSupport
import Testing

@testable import Pipeline

/// How far apart two tensors are.
struct TensorDistanceTests {
  private func distance(_ a: [Float], _ b: [Float]) -> TensorDistance {
    TensorDistance(
      "t", MemoryStorage.view(a, shape: [a.count]), MemoryStorage.view(b, shape: [b.count]))
  }

  @Test func `a distance is relative to the largest number of both`() {
    #expect(distance([4, 1], [4, 2]).relative == 0.25)
    #expect(distance([4, 2], [4, 1]).relative == 0.25)
    // Where one holds zeros, as the gates of a conversion that was not healed.
    #expect(distance([0, 0], [0, 3]).relative == 1)
    #expect(distance([0, 3], [0, 0]).relative == 1)
    #expect(distance([0, 0], [0, 0]).relative == 0)
    #expect(distance([1, .nan], [1, 1]).relative == .infinity)
  }
}
