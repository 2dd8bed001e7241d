/// What `evaluate` may be told by a recipe.
public struct EvaluateSettings: Sendable, Equatable {
  /// The text file, relative to the recipe.
  public var text = ""
  /// Tokens per segment.
  public var context = 1024
  /// Most tokens of the text; nil for all.
  public var tokens: Int?
}

extension EvaluateSettings: RecipeStep {
  static let key = "evaluate"

  init(_ reader: inout RecipeReader) throws(RecipeError) {
    text = try reader.requiredText("text")
    context = try reader.value("context", default: context, expected: "at least 2") {
      Int($0).flatMap { $0 >= 2 ? $0 : nil }
    }
    tokens = try reader.value("tokens", default: tokens, expected: "at least 2") {
      Int($0).flatMap { $0 >= 2 ? .some($0) : nil }
    }
  }
}
