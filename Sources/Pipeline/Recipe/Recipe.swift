import InputFiles
import StepSettings
import Yams

/// A pipeline from one YAML file: a source, an output, and steps in order.
public struct Recipe: Sendable {
  /// The source checkpoint, relative to the recipe's directory unless absolute.
  public var source: String?
  /// The output directory, relative to the working directory.
  public var output: String?
  /// What to do, in order.
  public var steps: [any Step]
  /// The directory of the recipe, which relative paths inside it start from; empty for the
  /// working directory.
  public var directory: String

  /// Reads and checks the recipe at `path`.
  public init(
    path: String, steps: [any Step.Type] = Steps.all
  ) throws(RecipeError) {
    let text: [UInt8]
    do {
      text = try InputFile.readText(path, limit: Self.mostBytes)
    } catch {
      throw .unreadable(error)
    }
    try self.init(yaml: String(decoding: text, as: UTF8.self), file: path, steps: steps)
  }

  /// A longer file is no recipe.
  public static let mostBytes = 1 << 20
  /// Aliases multiply: n of them can stand for 3^(n/3) times what is written, and a library that is
  /// given one as a key goes through all of it.
  public static let mostAliases = 16

  /// Throws when the text uses more aliases (`*name`) than a recipe can need. What looks like one in
  /// a comment or in quotes counts as well.
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

  /// Reads and checks a recipe text; `file` is named in errors, `kinds` are the steps it may name.
  public init(
    yaml: String, file: String, steps kinds: [any Step.Type] = Steps.all
  ) throws(RecipeError) {
    try Self.checkAliases(yaml, file: file)
    let root: Node?
    do {
      root = try Yams.compose(yaml: yaml)
    } catch {
      throw .notYAML(file: file, reason: "\(error)")
    }
    guard let root else { throw .notYAML(file: file, reason: "it is empty") }
    let reader = try RecipeReader(root, describing: "a recipe", file: file)
    try reader.requireKnown(["source", "output", "steps"])
    source = try reader.text("source")
    output = try reader.text("output")
    steps = try reader.list("steps", of: "steps").map { (node) throws(RecipeError) in
      try Recipe.step(node, file: file, kinds)
    }
    directory = file.split(separator: "/", omittingEmptySubsequences: false).dropLast()
      .joined(separator: "/")
  }

  /// A step is a mapping of its name to its settings, or just its name.
  private static func step(
    _ node: Node, file: String, _ kinds: [any Step.Type]
  ) throws(RecipeError) -> any Step {
    let place = SettingPlace(file: file, line: node.mark?.line)
    let name: String
    var settings = Node.mapping(.init([], .implicit, .any, node.mark))
    if let text = node.scalar?.string {
      name = text
    } else if let mapping = node.mapping, mapping.count == 1, let (key, value) = mapping.first {
      name = key.scalar?.string ?? ""
      if value.null == nil { settings = value }
    } else {
      throw .notAMapping("a step (one name with its settings)", place: place)
    }
    guard let type = kinds.first(where: { $0.name == name }) else {
      throw .unknownKey(name, known: kinds.map { $0.name }, place: place)
    }
    let reader = try RecipeReader(settings, describing: "the settings of \(name)", file: file)
    return try step(type, reader)
  }

  private static func step<Kind: Step>(
    _ type: Kind.Type, _ reader: RecipeReader
  ) throws(RecipeError) -> any Step {
    Kind(try reader.settings(Settings<Kind.Keys>.self))
  }
}
