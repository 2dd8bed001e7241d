/// A set of Unicode general categories, as `\p{…}` names them.
struct CategorySet: OptionSet, Sendable {
  let rawValue: UInt32

  static let word = CategorySet(named: "M").union(CategorySet(named: "Nd"))
    .union(CategorySet(named: "Pc"))

  init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The categories with this abbreviation (`Lu`), that of a group (`L`) or a long name (`Letter`);
  /// empty if there is none. Case, spaces, `_` and `-` do not matter.
  init(named name: String) {
    let simple = name.simplifiedProperty
    let wanted = Self.longNames[simple] ?? simple
    var bits: UInt32 = 0
    for (bit, category) in Self.abbreviations.enumerated() {
      let category = category.lowercased()
      let isCased = wanted == "lc" && ["lu", "ll", "lt"].contains(category)
      if isCased || category == wanted || (wanted.count == 1 && category.hasPrefix(wanted)) {
        bits |= 1 << UInt32(bit)
      }
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

  private static let longNames = [
    "other": "c", "control": "cc", "format": "cf", "unassigned": "cn", "privateuse": "co",
    "surrogate": "cs", "letter": "l", "casedletter": "lc", "lowercaseletter": "ll",
    "modifierletter": "lm", "otherletter": "lo", "titlecaseletter": "lt",
    "uppercaseletter": "lu", "mark": "m", "combiningmark": "m", "spacingmark": "mc",
    "enclosingmark": "me", "nonspacingmark": "mn", "number": "n", "decimalnumber": "nd",
    "letternumber": "nl", "othernumber": "no", "punctuation": "p",
    "connectorpunctuation": "pc", "dashpunctuation": "pd", "closepunctuation": "pe",
    "finalpunctuation": "pf", "initialpunctuation": "pi", "otherpunctuation": "po",
    "openpunctuation": "ps", "symbol": "s", "currencysymbol": "sc", "modifiersymbol": "sk",
    "mathsymbol": "sm", "othersymbol": "so", "separator": "z", "lineseparator": "zl",
    "paragraphseparator": "zp", "spaceseparator": "zs",
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

extension String {
  /// The name of a property as names are compared.
  var simplifiedProperty: String { lowercased().filter { !" _-".contains($0) } }
}
