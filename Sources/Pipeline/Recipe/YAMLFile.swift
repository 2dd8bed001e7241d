import InputFiles
import Yams

/// YAML that a user wrote: recipes, and tasks of lm-eval.
enum YAMLFile {
  /// A longer file is neither.
  static let mostBytes = 1 << 20
  /// Aliases multiply: n of them can stand for 3^(n/3) times what is written, and a library that is
  /// given one as a key goes through all of it.
  static let mostAliases = 16

  /// The text of the file at `path`.
  static func text(_ path: String) throws(RecipeError) -> String {
    do {
      return String(decoding: try InputFile.readText(path, limit: mostBytes), as: UTF8.self)
    } catch {
      throw .unreadable(error)
    }
  }

  /// What the text `yaml` holds; `file` is named in errors.
  static func root(of yaml: String, file: String) throws(RecipeError) -> Node {
    try checkAliases(yaml, file: file)
    let root: Node?
    do {
      root = try Yams.compose(yaml: yaml)
    } catch {
      throw .notYAML(file: file, reason: "\(error)")
    }
    guard let root else { throw .notYAML(file: file, reason: "it is empty") }
    return root
  }

  /// Throws when the text uses more aliases (`*name`) than a file can need. What looks like one in a
  /// comment or in quotes counts as well.
  private static func checkAliases(_ yaml: String, file: String) throws(RecipeError) {
    var count = 0, isStart = true
    for byte in yaml.utf8 {
      // An alias is a word: a star in the middle of one is none, nor is a star alone.
      if byte == UInt8(ascii: "*") && isStart { count += 1 }
      isStart = " \t\r\n,[]{}:?-".utf8.contains(byte)
    }
    guard count <= mostAliases else {
      throw .notYAML(
        file: file,
        reason: "it has \(count) aliases such as *name; at most \(mostAliases) are read")
    }
  }
}
