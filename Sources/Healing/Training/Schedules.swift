import Foundation
import Foundations

/// The learning rate over a training.
enum LearningRate {
  /// The share of the peak at `step`: a short linear warm-up, then a cosine to zero.
  static func share(_ step: Int, of steps: Int) -> Double {
    let warmUp = min(20, max(1, steps / 10))
    if step < warmUp { return Double(step + 1) / Double(warmUp) }
    let progress = Double(step - warmUp) / Double(max(1, steps - warmUp))
    return 0.5 * (1 + cos(.pi * progress))
  }
}

/// Endless passes over indices, each in a new random order.
struct Shuffle {
  private var order: [Int]
  private var position: Int

  init(count: Int) {
    order = Array(0..<count)
    position = count
  }

  mutating func next(_ generator: inout SplitMix64) -> Int {
    if position == order.count {
      order.shuffle(using: &generator)
      position = 0
    }
    position += 1
    return order[position - 1]
  }
}
