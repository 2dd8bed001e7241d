import Architectures
import Kernels
import TestSupport
import Testing

@testable import Runtime

/// Which experts tokens are sent to.
struct RoutingTests {
  private func scores(_ rows: [[Float]]) -> FloatMatrix {
    let matrix = FloatMatrix(rows: rows.count, columns: rows[0].count)
    for (row, values) in rows.enumerated() {
      for (column, value) in values.enumerated() { matrix[row][column] = value }
    }
    return matrix
  }

  @Test func `the likeliest, weighted by their probability among all`() {
    let routing = Routing(scores: scores([[0, 2, 1], [3, 0, 0]]), chosen: 2, offsets: [0, 2])
    #expect(routing.experts == [1, 2, 0, 2])
    // exp(2) / (1 + e + e²), exp(1) / …; exp(3) / (2 + e³), 1 / ….
    let expected: [Float] = [0.665241, 0.244728, 0.909443, 0.045278]
    #expect(zip(routing.weights, expected).allSatisfy { ($0 - $1).magnitude < 1e-6 })
  }

  @Test func `weights of 1 keep the choice and the probabilities`() {
    let rows = scores([[0, 2, 1], [3, 0, 0]])
    let one = Routing(scores: rows, chosen: 2, weighting: .one, offsets: [0, 2])
    let softmax = Routing(scores: rows, chosen: 2, offsets: [0, 2])
    #expect(one.experts == softmax.experts && one.probabilities == softmax.weights)
    #expect(one.weights == [1, 1, 1, 1])
    let broken = Routing(scores: scores([[.nan, 0]]), chosen: 1, weighting: .one, offsets: [0])
    #expect(broken.weights.allSatisfy { !$0.isFinite })
  }

  @Test func `weights of sum 1 are the probabilities among the chosen`() {
    let routing = Routing(
      scores: scores([[0, 2, 1], [3, 0, 0]]), chosen: 2, weighting: .normalized, offsets: [0, 2])
    // exp(2) / (e + e²), e / …; exp(3) / (1 + e³), 1 / ….
    let expected: [Float] = [0.731059, 0.268941, 0.952574, 0.047426]
    #expect(zip(routing.weights, expected).allSatisfy { ($0 - $1).magnitude < 1e-6 })
  }

  @Test func `equal scores go round by token and position`() {
    let zeros = scores([[Float]](repeating: [0, 0, 0, 0], count: 6))
    #expect(
      Routing(scores: zeros, chosen: 1, offsets: [0, 1, 2, 3, 4, 11]).experts == [0, 1, 2, 3, 0, 3])
    let two = Routing(scores: zeros, chosen: 2, offsets: [0, 1, 2, 3, 4, 11])
    #expect(two.experts == [0, 1, 1, 2, 2, 3, 3, 0, 0, 1, 3, 0])
    #expect(two.weights.allSatisfy { $0 == 0.25 })
    #expect(two.load(of: 4) == [4, 3, 2, 3])
  }

  @Test func `a higher score wins against the order`() {
    let rows = scores([[1, 0, 1, 1], [1, 1, 1, 1.0000001]])
    #expect(Routing(scores: rows, chosen: 3, offsets: [1, 0]).experts == [2, 3, 0, 3, 0, 1])
  }

  @Test func `scores that are not numbers give weights that are not`() {
    let routing = Routing(scores: scores([[.nan, .nan, 0]]), chosen: 2, offsets: [0])
    #expect(Set(routing.experts).count == 2)
    #expect(routing.weights.allSatisfy { !$0.isFinite })
  }

  @Test func `is told to whom it asks, for every layer with experts`() throws {
    let directory = try TemporaryDirectory()
    let model = try synthesized("experts", in: directory)
    var seen: [Int: Int] = [:]
    var state = DecodingState(for: model.description)
    _ = try model.extend(
      &state, with: someTokens(9),
      observeRouting: { layer, routing in
        seen[layer, default: 0] += routing.experts.count
        #expect(routing.experts.allSatisfy { $0 >= 0 && $0 < 5 })
      })
    #expect(seen == [1: 18, 2: 18])
  }
}
