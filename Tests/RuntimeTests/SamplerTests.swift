import Foundation
import Testing

@testable import Runtime

/// The choice of the next token.
struct SamplerTests {
  private func choose(_ logits: [Float], _ sampler: inout Sampler) -> Int {
    var logits = logits
    return logits.withUnsafeMutableBufferPointer { sampler.choose($0) }
  }

  /// How often each token is chosen in `count` draws.
  private func shares(_ logits: [Float], _ sampler: Sampler, count: Int = 4000) -> [Double] {
    var sampler = sampler
    var counts = [Int](repeating: 0, count: logits.count)
    for _ in 0..<count { counts[choose(logits, &sampler)] += 1 }
    return counts.map { Double($0) / Double(count) }
  }

  @Test func `greedy takes the largest, the lowest id among equals`() {
    var sampler = Sampler()
    #expect(choose([1, 3, 2], &sampler) == 1)
    #expect(choose([2, 5, 5, 5], &sampler) == 1)
    #expect(choose([-4], &sampler) == 0)
    #expect(choose([0, 0, 0], &sampler) == 0)
    #expect(choose([-.infinity, -3, -.infinity], &sampler) == 1)
  }

  @Test func `the same seed gives the same choices, another seed others`() {
    let logits = (0..<50).map { Float($0 % 7) / 3 }
    func draws(seed: UInt64) -> [Int] {
      var sampler = Sampler(temperature: 1, seed: seed)
      return (0..<40).map { _ in choose(logits, &sampler) }
    }
    #expect(draws(seed: 3) == draws(seed: 3))
    #expect(draws(seed: 3) != draws(seed: 4))
  }

  @Test func `at temperature 1 tokens come as often as the model says`() {
    let probabilities = [0.5, 0.25, 0.15, 0.1]
    let shares = shares(probabilities.map { Float(log($0)) + 7 }, Sampler(temperature: 1, seed: 1))
    for (share, probability) in zip(shares, probabilities) {
      #expect(abs(share - probability) < 0.03)
    }
  }

  @Test func `temperature sharpens and flattens`() {
    let logits = [0.8, 0.2].map { Float(log($0)) }
    // p^(1/T), normalised: 0.94 at 1/2, 2/3 at 2.
    #expect(abs(shares(logits, Sampler(temperature: 0.5, seed: 2))[0] - 0.941) < 0.02)
    #expect(abs(shares(logits, Sampler(temperature: 2, seed: 2))[0] - 0.667) < 0.03)
    #expect(shares(logits, Sampler(temperature: 1e-9, seed: 2))[0] == 1)
  }

  @Test func `top-p keeps the smallest set that reaches it`() {
    let logits = [0.1, 0.5, 0.15, 0.25].map { Float(log($0)) }
    let half = shares(logits, Sampler(temperature: 1, topP: 0.4, seed: 3))
    #expect(half == [0, 1, 0, 0])
    let most = shares(logits, Sampler(temperature: 1, topP: 0.7, seed: 3))
    #expect(most[0] == 0 && most[2] == 0)
    #expect(abs(most[1] - 2.0 / 3) < 0.03)
    let all = shares(logits, Sampler(temperature: 1, topP: 1, seed: 3))
    #expect(all.allSatisfy { $0 > 0.05 })
  }

  @Test func `tokens that are impossible are never drawn`() {
    let shares = shares([0, -.infinity, 0], Sampler(temperature: 1, seed: 4))
    #expect(shares[1] == 0)
  }
}
