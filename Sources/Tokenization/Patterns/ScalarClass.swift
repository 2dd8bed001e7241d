/// A set of Unicode scalars: what one element of a pattern matches.
struct ScalarClass: Sendable {
  /// One entry of a class; the class is their union.
  enum Item: Sendable {
    case range(ClosedRange<UInt32>)
    /// General categories, and whether their complement is meant.
    case categories(CategorySet, negated: Bool)
    case script(UInt8, negated: Bool)
    case whitespace(negated: Bool)
    /// `\w`: letters, marks, decimal digits, connector punctuation, and six Latin-1 numbers.
    case word(negated: Bool)
    case nested(ScalarClass)
  }

  /// How many classes a look at this one looks at.
  let weight: Int
  private let members: Members
  /// Membership of the 128 ASCII scalars, one bit each.
  private let low: UInt64
  private let high: UInt64

  static let word = ScalarClass([.word(negated: false)])

  /// - Parameter intersected: classes that must contain a scalar too (`&&`).
  init(
    _ items: [Item], and intersected: [ScalarClass] = [], negated: Bool = false,
    ignoresCase: Bool = false
  ) {
    members = Members(
      items, intersected: intersected, negated: negated, ignoresCase: ignoresCase)
    weight = (members.nested + intersected).reduce(1) { $0 + $1.weight }
    var bits: (low: UInt64, high: UInt64) = (0, 0)
    for byte in UInt8(0)..<128 where members.contains(Unicode.Scalar(byte)) {
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
    return members.contains(scalar)
  }
}

/// The entries of a class, put together so that a look takes about the same time however many
/// there are. An object, so that a class is cheap to hand around.
private final class Members: Sendable {
  /// Ascending, without overlaps.
  let ranges: [ClosedRange<UInt32>]
  let categories: CategorySet
  /// A scalar of any other category is in the class.
  let otherCategories: CategorySet?
  let scripts: Set<UInt8>
  let otherScripts: Set<UInt8>?
  /// Whether white space is in the class, or all else; likewise words.
  let whitespace: Set<Bool>
  let word: Set<Bool>
  let nested: [ScalarClass]
  let intersected: [ScalarClass]
  let negated: Bool
  let ignoresCase: Bool

  init(
    _ items: [ScalarClass.Item], intersected: [ScalarClass], negated: Bool, ignoresCase: Bool
  ) {
    var ranges: [ClosedRange<UInt32>] = []
    var categories = CategorySet()
    var otherCategories: CategorySet?
    var scripts: Set<UInt8> = []
    var otherScripts: Set<UInt8>?
    var whitespace: Set<Bool> = []
    var word: Set<Bool> = []
    var nested: [ScalarClass] = []
    for item in items {
      switch item {
      case .range(let range): ranges.append(range)
      case .categories(let set, false): categories.formUnion(set)
      case .categories(let set, true):
        otherCategories = otherCategories.map { $0.intersection(set) } ?? set
      case .script(let script, false): scripts.insert(script)
      case .script(let script, true):
        otherScripts = otherScripts.map { $0.intersection([script]) } ?? [script]
      case .whitespace(let negated): whitespace.insert(!negated)
      case .word(let negated): word.insert(!negated)
      case .nested(let scalars): nested.append(scalars)
      }
    }
    self.ranges = Self.merged(ranges)
    self.categories = categories
    self.otherCategories = otherCategories
    self.scripts = scripts
    self.otherScripts = otherScripts
    self.whitespace = whitespace
    self.word = word
    self.nested = nested
    self.intersected = intersected
    self.negated = negated
    self.ignoresCase = ignoresCase
  }

  private static func merged(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    var merged: [ClosedRange<UInt32>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = merged.last, range.lowerBound <= last.upperBound {
        merged[merged.count - 1] =
          last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    return merged
  }

  func contains(_ scalar: Unicode.Scalar) -> Bool {
    var found = hasEntry(scalar)
    if !found, ignoresCase { found = scalar.otherCases.contains(where: hasEntry) }
    return (found && intersected.allSatisfy { $0.contains(scalar) }) != negated
  }

  private func hasEntry(_ scalar: Unicode.Scalar) -> Bool {
    if containsRange(scalar.value) { return true }
    if !categories.isEmpty || otherCategories != nil {
      let category = scalar.referenceCategory
      if categories.contains(category) { return true }
      if let otherCategories, !otherCategories.contains(category) { return true }
    }
    if !whitespace.isEmpty, whitespace.contains(scalar.properties.isWhitespace) { return true }
    if !word.isEmpty, word.contains(scalar.isPatternWord) { return true }
    if !scripts.isEmpty || otherScripts != nil {
      let script = Scripts.script(of: scalar)
      if scripts.contains(script) { return true }
      if let otherScripts, !otherScripts.contains(script) { return true }
    }
    return nested.contains { $0.contains(scalar) }
  }

  private func containsRange(_ value: UInt32) -> Bool {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < value {
        low = middle + 1
      } else if ranges[middle].lowerBound > value {
        high = middle
      } else {
        return true
      }
    }
    return false
  }
}

extension Unicode.Scalar {
  /// What `\w` matches in the reference library.
  fileprivate var isPatternWord: Bool {
    isWord || [0xb2, 0xb3, 0xb9, 0xbc, 0xbd, 0xbe].contains(value)
  }
}
