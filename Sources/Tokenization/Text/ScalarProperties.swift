extension Unicode.Scalar {
  /// The general category in Unicode 16, the version of the reference library's patterns.
  ///
  /// Swift's tables follow the Swift release; ids must not. Categories of assigned scalars hardly
  /// ever change, so it is enough to leave out those assigned later.
  var referenceCategory: Unicode.GeneralCategory {
    isNewer ? .unassigned : properties.generalCategory
  }

  /// Whether a word contains this scalar: letters, marks, digits and connectors.
  var isWord: Bool {
    !isNewer
      && (properties.isAlphabetic || CategorySet.word.contains(properties.generalCategory))
  }

  /// Whether this scalar continues a word next to an added token: the library asks another
  /// regular-expression engine there, one that counts the two joiners.
  var continuesWord: Bool { isWord || properties.isJoinControl }

  private var isNewer: Bool {
    guard value >= 0x80, let age = properties.age else { return false }
    return age.major > 16
  }

  /// For `(?i:…)` over ASCII: the ASCII letters that differ from this scalar in case only. The
  /// long s and the Kelvin sign fold to ASCII too.
  var otherCases: [Unicode.Scalar] {
    switch value {
    case 0x41...0x5a, 0x61...0x7a: [Unicode.Scalar(UInt8(value) ^ 0x20)]
    case 0x17f: ["s", "S"]
    case 0x212a: ["k", "K"]
    default: []
    }
  }
}
