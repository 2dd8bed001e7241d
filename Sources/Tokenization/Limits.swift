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
  /// Instructions of a compiled pattern, and parts looked at to compile it: repetitions of groups
  /// are written out. The longest in use has about 100.
  public static let patternInstructions = 1 << 10
  /// Looks at a scalar that all instructions of a pattern together can take, counted repetitions
  /// of a class included.
  public static let patternWeight = 1 << 11
  /// UTF-8 bytes of one piece of a Unigram model: what one step of its search can look at.
  public static let pieceBytes = 1 << 12
  /// Levels of groups in a pattern; reading and running them is recursive.
  public static let nesting = 128
}
