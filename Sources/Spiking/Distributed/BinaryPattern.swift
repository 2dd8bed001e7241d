/// Which of some bits are active: what one token makes a population of neurons do.
public struct BinaryPattern: Sendable, Hashable {
  /// Bits, active or not.
  public let size: Int
  /// How many are active.
  public private(set) var activeCount: Int
  private var words: [UInt64]

  /// A pattern of `size` bits of which the `active` ones are; each may occur more than once.
  public init(size: Int, active: some Sequence<Int>) {
    self.size = size
    words = [UInt64](repeating: 0, count: (size + 63) / 64)
    for bit in active { words[bit / 64] |= 1 << UInt64(bit % 64) }
    activeCount = words.reduce(0) { $0 + $1.nonzeroBitCount }
  }

  /// The active bits, ascending.
  public var active: [Int] {
    (0..<size).filter { words[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
  }

  /// Bits that are active in both.
  public func overlap(_ other: BinaryPattern) -> Int {
    zip(words, other.words).reduce(0) { $0 + ($1.0 & $1.1).nonzeroBitCount }
  }

  /// Bits that are active in both, relative to the pattern with fewer; 0 when that has none.
  public func similarity(_ other: BinaryPattern) -> Double {
    let fewer = min(activeCount, other.activeCount)
    return fewer == 0 ? 0 : Double(overlap(other)) / Double(fewer)
  }

  /// Whether all of its active bits are active in `union`.
  public func isContained(in union: BinaryPattern) -> Bool {
    zip(words, union.words).allSatisfy { $0 & ~$1 == 0 }
  }

  /// Adds the active bits of another pattern of the same size.
  public mutating func formUnion(_ other: BinaryPattern) {
    for index in words.indices { words[index] |= other.words[index] }
    activeCount = words.reduce(0) { $0 + $1.nonzeroBitCount }
  }
}
