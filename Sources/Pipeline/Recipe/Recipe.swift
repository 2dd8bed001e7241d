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
    try self.init(yaml: try YAMLFile.text(path), file: path, steps: steps)
  }

  /// Reads and checks a recipe text; `file` is named in errors, `kinds` are the steps it may name.
  public init(
    yaml: String, file: String, steps kinds: [any Step.Type] = Steps.all
  ) throws(RecipeError) {
    let root = try YAMLFile.root(of: yaml, file: file)
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
