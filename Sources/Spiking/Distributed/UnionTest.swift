import Foundation

/// How many patterns a union can hold before others seem to be in it.
///
/// A union has the active bits of all its members. A pattern matches it when all of its active bits
/// are in it, and falsely when it belongs to a token that is not among the members. Each token takes
/// part with the pattern of its first occurrence, in the order of the text; unions are runs of that
/// order, round its end, and all other tokens are tried.
public struct UnionTest: Sendable {
  /// The result for unions of one size.
  public struct Point: Sendable {
    /// Patterns in the union.
    public var members: Int
    /// The share of other patterns that match.
    public var falseMatches: Double
    /// The same share for random patterns as dense as these: (1 - (1 - d)^M)^w.
    public var expected: Double
  }

  /// One per size, ascending.
  public let points: [Point]
  /// Tokens that take part.
  public let candidates: Int

  /// Sizes that are tried, as far as twice as many tokens take part.
  public static let sizes = [
    1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200,
  ]
  /// Runs that are tried, spread evenly over the order.
  static let runs = 16

  /// Tests the patterns of `memory`.
  public init(_ memory: PatternMemory) {
    var seen: Set<Int> = []
    let patterns = zip(memory.tokens, memory.patterns).filter { seen.insert($0.0).inserted }
      .map(\.1).filter { $0.activeCount > 0 }
    let count = patterns.count
    let sizes = Self.sizes.filter { 2 * $0 <= count }
    var matches = [Int](repeating: 0, count: sizes.count)
    let runs = min(Self.runs, count)
    for run in 0..<(sizes.isEmpty ? 0 : runs) {
      let start = run * count / runs
      var union = BinaryPattern(size: memory.size, active: []), members = 0
      for (index, size) in sizes.enumerated() {
        while members < size {
          union.formUnion(patterns[(start + members) % count])
          members += 1
        }
        matches[index] += (members..<count).count {
          patterns[(start + $0) % count].isContained(in: union)
        }
      }
    }
    let active = mean(patterns.map { Double($0.activeCount) })
    let density = memory.size == 0 ? 0 : active / Double(memory.size)
    candidates = count
    points = zip(sizes, matches).map { size, found in
      Point(
        members: size, falseMatches: Double(found) / Double(runs * (count - size)),
        expected: pow(1 - pow(1 - density, Double(size)), active))
    }
  }

  /// The largest size up to which at most `rate` of other patterns matched; 0 when the first is
  /// already beyond.
  public func capacity(atMost rate: Double) -> Int {
    points.prefix { $0.falseMatches <= rate }.last?.members ?? 0
  }

  /// The same for random patterns.
  public func expectedCapacity(atMost rate: Double) -> Int {
    points.prefix { $0.expected <= rate }.last?.members ?? 0
  }
}
