public import Foundations
public import InputFiles
public import StepSettings

/// What is wrong with a recipe, or another file in YAML, with its line.
public enum RecipeError: ReportableError, Equatable {
  case unreadable(InputFileError)
  case notYAML(file: String, reason: String)
  case unknownKey(String, known: [String], place: SettingPlace)
  case missingKey(String, place: SettingPlace)
  /// What may stand in the recipe or on the command line, and does in neither.
  case missingPath(String, place: SettingPlace)
  case notAMapping(String, place: SettingPlace)
  case notAValue(String, got: String, expected: String, place: SettingPlace)
  /// A key that others read and this program does not; what it says would change the result.
  case unsupported(String, expected: String, place: SettingPlace)
  case setting(SettingError)
  /// What the model that a step is given shows to be wrong with its settings.
  case step(String, advice: String?, place: SettingPlace)

  public var what: String {
    switch self {
    case .unreadable(let error): error.what
    case .notYAML(_, let reason):
      "is not valid YAML: \(reason.split(separator: "\n").joined(separator: " "))"
    case .unknownKey(let key, let known, let place):
      SettingError.unknown(key, known: known, place: place).what
    case .missingKey(let key, _): "\"\(key)\" is missing"
    case .missingPath(let key, _): "there is neither \"\(key)\" nor --\(key)"
    case .notAMapping(let what, _): "\(what) must be a mapping of keys to values"
    case .notAValue(let key, let got, let expected, _):
      "\"\(key)\" is \(got), expected \(expected)"
    case .unsupported(let key, let expected, _):
      "\"\(key)\" is not supported here, expected \(expected)"
    case .setting(let error): error.what
    case .step(let what, _, _): what
    }
  }

  public var location: String? {
    switch self {
    case .unreadable(let error): error.location
    case .notYAML(let file, _): file
    case .setting(let error): error.location
    case .unknownKey(_, _, let place), .missingKey(_, let place), .missingPath(_, let place),
      .notAMapping(_, let place), .notAValue(_, _, _, let place), .unsupported(_, _, let place),
      .step(_, _, let place):
      place.text
    }
  }

  public var advice: String? {
    if case .step(_, let advice, _) = self { advice } else { nil }
  }
}
