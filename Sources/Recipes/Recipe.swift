import InputFiles
import TensorTypes
import Yams

/// A pipeline from one YAML file: a source, an output, and steps in order.
public struct Recipe: Sendable, Equatable {
  /// The source checkpoint, relative to the recipe's directory unless absolute.
  public var source: String?
  /// The output directory, relative to the working directory.
  public var output: String?
  /// What to do, in order.
  public var steps: [Step]
  /// The directory of the recipe, which relative paths inside it start from; empty for the
  /// working directory.
  public var directory: String

  /// One step of a pipeline.
  public enum Step: Sendable, Equatable {
    case convert(ConvertSettings)
    case heal(HealSettings)
    case upcycle(UpcycleSettings)
    case calibrate(CalibrateSettings)
    case export(ExportSettings)
    case verify(VerifySettings)
    case evaluate(EvaluateSettings)
  }

  /// Reads and checks the recipe at `path`.
  public init(path: String) throws(RecipeError) {
    let text: [UInt8]
    do {
      text = try InputFile.readText(path, limit: Self.mostBytes)
    } catch {
      throw .unreadable(error)
    }
    try self.init(yaml: String(decoding: text, as: UTF8.self), file: path)
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

  /// Reads and checks a recipe text; `file` is named in errors.
  public init(yaml: String, file: String) throws(RecipeError) {
    try Self.checkAliases(yaml, file: file)
    let root: Node?
    do {
      root = try Yams.compose(yaml: yaml)
    } catch {
      throw .notYAML(file: file, reason: "\(error)")
    }
    guard let root else { throw .notYAML(file: file, reason: "it is empty") }
    var reader = try RecipeReader(root, describing: "a recipe", file: file)
    source = try reader.text("source")
    output = try reader.text("output")
    guard let list = reader.node("steps")?.sequence, !list.isEmpty else {
      throw .missingKey("steps", place: .init(file: file, line: 1))
    }
    try reader.finish()
    steps = try list.map { (node) throws(RecipeError) in try Recipe.step(node, file: file) }
    directory = file.split(separator: "/", omittingEmptySubsequences: false).dropLast()
      .joined(separator: "/")
  }

  /// A step is a mapping of its name to its settings, or just its name.
  private static func step(_ node: Node, file: String) throws(RecipeError) -> Step {
    let names = [
      ConvertSettings.key, HealSettings.key, UpcycleSettings.key, CalibrateSettings.key,
      ExportSettings.key, VerifySettings.key, EvaluateSettings.key,
    ]
    let place = RecipeError.Place(file: file, line: node.mark?.line)
    let name: String
    var settings = Node.mapping([:])
    if let text = node.scalar?.string {
      name = text
    } else if let mapping = node.mapping, mapping.count == 1, let (key, value) = mapping.first {
      name = key.scalar?.string ?? ""
      if value.null == nil { settings = value }
    } else {
      throw .notAMapping("a step (one name with its settings)", place: place)
    }
    func read<Settings: RecipeStep>() throws(RecipeError) -> Settings {
      var reader = try RecipeReader(settings, describing: "the settings of \(name)", file: file)
      let read = try Settings(&reader)
      try reader.finish()
      return read
    }
    switch name {
    case ConvertSettings.key: return .convert(try read())
    case HealSettings.key: return .heal(try read())
    case UpcycleSettings.key: return .upcycle(try read())
    case CalibrateSettings.key: return .calibrate(try read())
    case ExportSettings.key: return .export(try read())
    case VerifySettings.key: return .verify(try read())
    case EvaluateSettings.key: return .evaluate(try read())
    default:
      throw .unknownKey(
        name, nearest: NearestName.of(name, among: names), known: names, place: place)
    }
  }
}

/// Settings that a recipe step can hold.
protocol RecipeStep {
  /// The step's name in a recipe.
  static var key: String { get }
  /// Reads the settings, asking for every key they have.
  init(_ reader: inout RecipeReader) throws(RecipeError)
}
