/// A set of Unicode scalars: what one element of a pattern matches.
struct ScalarClass: Sendable {
  /// One entry of a class; the class is their union.
  enum Item: Sendable, Equatable {
    case range(ClosedRange<UInt32>)
    /// General categories, and whether their complement is meant.
    case categories(CategorySet, negated: Bool)
    case whitespace(negated: Bool)
    /// `\w`: letters, marks, decimal digits, connector punctuation, and six Latin-1 numbers.
    case word(negated: Bool)
  }

  private let items: [Item]
  private let negated: Bool
  private let ignoresCase: Bool
  /// Membership of the 128 ASCII scalars, one bit each.
  private let low: UInt64
  private let high: UInt64

  init(_ items: [Item], negated: Bool = false, ignoresCase: Bool = false) {
    self.items = items
    self.negated = negated
    self.ignoresCase = ignoresCase
    var bits: (low: UInt64, high: UInt64) = (0, 0)
    for byte in UInt8(0)..<128
    where Self.contains(
      Unicode.Scalar(byte), items: items, negated: negated, ignoresCase: ignoresCase)
    {
      if byte < 64 { bits.low |= 1 << UInt64(byte) } else { bits.high |= 1 << UInt64(byte - 64) }
    }
    (low, high) = bits
  }

  init(_ scalar: Unicode.Scalar, ignoresCase: Bool = false) {
    self.init([.range(scalar.value...scalar.value)], ignoresCase: ignoresCase)
  }

  @inline(__always)
  func contains(_ scalar: Unicode.Scalar) -> Bool {
    let value = scalar.value
    if value < 64 { return low >> UInt64(value) & 1 != 0 }
    if value < 128 { return high >> UInt64(value - 64) & 1 != 0 }
    return Self.contains(scalar, items: items, negated: negated, ignoresCase: ignoresCase)
  }

  private static func contains(
    _ scalar: Unicode.Scalar, items: [Item], negated: Bool, ignoresCase: Bool
  ) -> Bool {
    var found = items.contains { $0.contains(scalar) }
    if !found, ignoresCase {
      found = scalar.otherCases.contains { other in items.contains { $0.contains(other) } }
    }
    return found != negated
  }
}

extension ScalarClass.Item {
  func contains(_ scalar: Unicode.Scalar) -> Bool {
    switch self {
    case .range(let range): range.contains(scalar.value)
    case .categories(let set, let negated):
      set.contains(scalar.referenceCategory) != negated
    case .whitespace(let negated): scalar.properties.isWhitespace != negated
    case .word(let negated):
      (scalar.isWord || [0xb2, 0xb3, 0xb9, 0xbc, 0xbd, 0xbe].contains(scalar.value)) != negated
    }
  }
}
