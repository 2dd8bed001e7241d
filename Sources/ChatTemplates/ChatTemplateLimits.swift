/// Sizes past which a chat template is refused: far above anything published, low enough that a
/// hostile one cannot exhaust memory or time.
public enum ChatTemplateLimits {
  /// Bytes of a template's text.
  public static let textBytes = 1 << 20
  /// Levels of blocks, operators and parentheses, and of the values that a run builds. Reading and
  /// running them is recursive.
  public static let nesting = 128
  /// Bytes of all values that a run builds, copies, compares and prints.
  public static let valueBytes = 128 << 20
  /// Statements, loop turns, parts of expressions and comparisons of a run.
  public static let steps = 1 << 22
  /// Levels of blocks, expressions and macros' calls of a run.
  public static let recursion = 512
}
