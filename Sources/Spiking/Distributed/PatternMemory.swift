import Foundation
import Foundations

/// The patterns of a text's tokens in one code, and what they are good for.
public struct PatternMemory: Sendable {
  /// How activations became patterns.
  public let code: PatternCode
  /// Whose activations they were.
  public private(set) var tokens: [Int] = []
  /// One pattern per token, in the text's order.
  public private(set) var patterns: [BinaryPattern] = []
  /// The similarity of every pattern with that of the same activations and noise.
  public private(set) var noisy: [Double] = []

  /// Nothing read yet.
  public init(_ code: PatternCode) { self.code = code }

  /// Adds the pattern of `token`, whose activations are `x`, and with noise `disturbed`.
  public mutating func add(
    _ token: Int, _ x: UnsafeBufferPointer<Float>, disturbed: UnsafeBufferPointer<Float>
  ) {
    let pattern = code.pattern(x)
    tokens.append(token)
    patterns.append(pattern)
    noisy.append(pattern.similarity(code.pattern(disturbed)))
  }

  /// Bits of a pattern.
  public var size: Int { patterns.first?.size ?? 0 }

  /// The mean number of active bits.
  public var activeCount: Double {
    mean(patterns.map { Double($0.activeCount) })
  }

  /// The mean share of active bits.
  public var density: Double { size == 0 ? 0 : activeCount / Double(size) }

  /// Pairs of which similarities are taken; when there are more, this many are drawn.
  static let mostPairs = 20_000

  /// The similarities of pairs of different tokens: all of them, or seeded draws.
  public var differentTokens: [Double] {
    let count = tokens.count
    var found: [Double] = []
    func compare(_ a: Int, _ b: Int) {
      if tokens[a] != tokens[b] { found.append(patterns[a].similarity(patterns[b])) }
    }
    if count * (count - 1) / 2 <= Self.mostPairs {
      for a in 0..<count { for b in 0..<a { compare(a, b) } }
    } else {
      var generator = SplitMix64(seed: 0, label: "pairs of tokens")
      for _ in 0..<Self.mostPairs {
        compare(Int(generator.unit() * Double(count)), Int(generator.unit() * Double(count)))
      }
    }
    return found
  }

  /// The similarities of every pattern with that of the same token's next occurrence.
  public var sameToken: [Double] {
    var last: [Int: Int] = [:], found: [Double] = []
    for (index, token) in tokens.enumerated() {
      if let before = last.updateValue(index, forKey: token) {
        found.append(patterns[before].similarity(patterns[index]))
      }
    }
    return found
  }
}

/// The mean; 0 of nothing.
package func mean(_ values: [Double]) -> Double {
  values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
}
