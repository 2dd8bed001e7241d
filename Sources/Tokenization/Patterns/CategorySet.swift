/// A set of Unicode general categories, as `\p{…}` names them.
struct CategorySet: OptionSet, Sendable {
  let rawValue: UInt32

  static let word = CategorySet(named: "M").union(CategorySet(named: "Nd"))
    .union(CategorySet(named: "Pc"))

  init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The categories whose abbreviation is `name` (`Lu`) or starts with it (`L`); empty if none.
  init(named name: String) {
    var bits: UInt32 = 0
    for (bit, category) in Self.abbreviations.enumerated()
    where category == name || (name.count == 1 && category.hasPrefix(name)) {
      bits |= 1 << UInt32(bit)
    }
    rawValue = bits
  }

  @inline(__always)
  func contains(_ category: Unicode.GeneralCategory) -> Bool {
    rawValue >> Self.bit(of: category) & 1 != 0
  }

  private static let abbreviations = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe",
    "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
  ]

  /// The index of a category in `abbreviations`.
  private static func bit(of category: Unicode.GeneralCategory) -> UInt32 {
    switch category {
    case .uppercaseLetter: 0
    case .lowercaseLetter: 1
    case .titlecaseLetter: 2
    case .modifierLetter: 3
    case .otherLetter: 4
    case .nonspacingMark: 5
    case .spacingMark: 6
    case .enclosingMark: 7
    case .decimalNumber: 8
    case .letterNumber: 9
    case .otherNumber: 10
    case .connectorPunctuation: 11
    case .dashPunctuation: 12
    case .openPunctuation: 13
    case .closePunctuation: 14
    case .initialPunctuation: 15
    case .finalPunctuation: 16
    case .otherPunctuation: 17
    case .mathSymbol: 18
    case .currencySymbol: 19
    case .modifierSymbol: 20
    case .otherSymbol: 21
    case .spaceSeparator: 22
    case .lineSeparator: 23
    case .paragraphSeparator: 24
    case .control: 25
    case .format: 26
    case .surrogate: 27
    case .privateUse: 28
    case .unassigned: 29
    @unknown default: 29
    }
  }
}
