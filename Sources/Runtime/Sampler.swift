import Foundation
import Foundations

/// Chooses the next token from logits.
public struct Sampler: Sendable {
  /// 0 is greedy; 1 samples from the model's distribution.
  public var temperature: Double
  /// Only the most likely tokens whose probabilities sum to this are sampled.
  public var topP: Double
  private var generator: SplitMix64

  /// A sampler; the same seed gives the same choices for the same logits.
  public init(temperature: Double = 0, topP: Double = 1, seed: UInt64 = 0) {
    self.temperature = temperature
    self.topP = topP
    generator = SplitMix64(seed: seed)
  }

  /// The next token; ties go to the lowest id.
  public mutating func choose(_ logits: UnsafeMutableBufferPointer<Float>) -> Int {
    let best = logits.indices.reduce(0) { logits[$1] > logits[$0] ? $1 : $0 }
    guard temperature > 0 else { return best }
    let top = Double(logits[best])
    var candidates = logits.indices.map { id in
      (id: id, weight: exp((Double(logits[id]) - top) / temperature))
    }
    candidates.sort { ($0.weight, -$0.id) > ($1.weight, -$1.id) }
    let total = candidates.reduce(0) { $0 + $1.weight }
    var kept = 0.0
    let count =
      candidates.firstIndex { candidate in
        kept += candidate.weight
        return kept >= topP * total
      } ?? candidates.count - 1
    var target = generator.unit() * kept
    for candidate in candidates[...count] {
      target -= candidate.weight
      if target < 0 { return candidate.id }
    }
    return best
  }
}
