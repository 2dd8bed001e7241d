public import InputFiles
public import TensorTypes

/// What is wrong with a recipe, with its line.
public enum RecipeError: ReportableError, Equatable {
  case unreadable(InputFileError)
  case notYAML(file: String, reason: String)
  case unknownKey(String, nearest: String?, known: [String], place: Place)
  case missingKey(String, place: Place)
  /// What may stand in the recipe or on the command line, and does in neither.
  case missingPath(String, place: Place)
  case wrongValue(key: String, value: String, expected: String, place: Place)
  case notAMapping(String, place: Place)

  /// A position in a recipe file, or an option of the command line.
  public struct Place: Sendable, Equatable {
    /// The file, or `command line`.
    public var file: String
    /// The 1-based line, when there is one.
    public var line: Int?

    /// A place in `file`.
    public init(file: String, line: Int? = nil) {
      self.file = file
      self.line = line
    }

    /// The command line.
    public static let commandLine = Place(file: "command line")

    var text: String { line.map { "\(file):\($0)" } ?? file }
  }

  public var what: String {
    switch self {
    case .unreadable(let error): error.what
    case .notYAML(_, let reason): "is not valid YAML: \(reason)"
    case .unknownKey(let key, let nearest, let known, _):
      "unknown key \"\(key)\""
        + (nearest.map { "; did you mean \"\($0)\"?" }
          ?? "; valid keys: \(known.joined(separator: ", "))")
    case .missingKey(let key, _): "\"\(key)\" is missing"
    case .missingPath(let key, _): "there is neither \"\(key)\" nor --\(key)"
    case .wrongValue(let key, let value, let expected, let place):
      (place == .commandLine ? "--\(key)" : "\"\(key)\"") + " is \(value), expected \(expected)"
    case .notAMapping(let what, _): "\(what) must be a mapping of keys to values"
    }
  }

  public var location: String? {
    switch self {
    case .unreadable(let error): error.location
    case .notYAML(let file, _): file
    case .unknownKey(_, _, _, let place), .missingKey(_, let place), .missingPath(_, let place),
      .wrongValue(_, _, _, let place), .notAMapping(_, let place):
      place == .commandLine ? nil : place.text
    }
  }
}
