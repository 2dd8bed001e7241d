/// What `verify` may be told.
public struct VerifySettings: Sendable, Equatable {
  /// How deep to look.
  public var level = Level.logits

  /// The default: everything that needs no text.
  public init() {}

  /// Levels are cumulative.
  public enum Level: String, Sendable, CaseIterable, Comparable {
    case structure, hashes, values, logits, quality

    /// Later levels include earlier ones.
    public static func < (left: Level, right: Level) -> Bool {
      (allCases.firstIndex(of: left) ?? 0) < (allCases.firstIndex(of: right) ?? 0)
    }
  }
}

extension VerifySettings: RecipeStep {
  static let key = "verify"

  init(_ reader: inout RecipeReader) throws(RecipeError) {
    level = try reader.value("level", default: level, expected: Level.choices) {
      Level(rawValue: $0)
    }
  }
}
