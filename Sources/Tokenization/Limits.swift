/// Sizes past which a tokenizer file is refused: far above anything published, low enough that a
/// hostile file cannot exhaust memory.
public enum TokenizationLimits {
  /// One file of a tokenizer (the largest in use have about 35 MB).
  public static let fileBytes = 256 << 20
  /// Ids are below this; tables are indexed by id. The largest vocabularies have 262144 tokens.
  public static let vocabularySize = 1 << 22
  /// UTF-8 bytes of one token.
  public static let tokenBytes = 1 << 16
  /// Bytes of a pattern's text.
  public static let patternBytes = 1 << 14
  /// Instructions of a compiled pattern; counted repetitions are written out.
  public static let patternInstructions = 1 << 14
  /// Levels of groups in a pattern; of blocks, operators and parentheses in a chat template; and
  /// of its macros' calls. Reading and running them is recursive.
  public static let nesting = 128
  /// Bytes of a chat template's text.
  public static let templateBytes = 1 << 20
  /// Bytes a chat template may print.
  public static let promptBytes = 64 << 20
  /// Statements and loop turns a chat template may run.
  public static let templateSteps = 1 << 20
}
