import Foundations

/// When an answer counts as the expected text, by the options of lm-eval's `exact_match`.
public struct TextMatch: Sendable, Equatable {
  /// Whether upper and lower case are the same.
  public var ignoresCase = false
  /// Whether ASCII punctuation is left out.
  public var ignoresPunctuation = false
  /// Whether ASCII digits are left out.
  public var ignoresNumbers = false

  /// Every character counts.
  public init() {}

  /// What task files call the options.
  public static let keys = ["ignore_case", "ignore_punctuation", "ignore_numbers"]

  /// Whether `answer` is `expected`.
  public func matches(_ answer: String, _ expected: String) -> Bool {
    compared(answer).elementsEqual(compared(expected))
  }

  private func compared(_ text: String) -> [Unicode.Scalar] {
    (ignoresCase ? text.lowercased() : text).unicodeScalars.filter { scalar in
      guard scalar.isASCII else { return true }
      let character = Character(scalar)
      if ignoresNumbers, character.isNumber { return false }
      let isPunctuation =
        (0x21...0x7e).contains(scalar.value) && !character.isLetter
        && !character.isNumber
      return !(ignoresPunctuation && isPunctuation)
    }
  }
}
