public import Foundations

/// Where a setting was given.
public struct SettingPlace: Sendable, Equatable {
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
  public static let commandLine = SettingPlace(file: "command line")

  /// `recipe.yaml:12`; nil for the command line, where the option's name says it.
  public var text: String? {
    self == .commandLine ? nil : line.map { "\(file):\($0)" } ?? file
  }
}

/// What is wrong with a setting.
public enum SettingError: ReportableError, Equatable {
  case wrongValue(key: String, value: String, expected: String, place: SettingPlace)
  case unknown(String, known: [String], place: SettingPlace)

  public var what: String {
    switch self {
    case .wrongValue(let key, let value, let expected, let place):
      (place == .commandLine ? "--\(key)" : "\"\(key)\"") + " is \(value), expected \(expected)"
    case .unknown(let key, let known, _):
      "unknown key \"\(key)\""
        + (NearestName.of(key, among: known).map { "; did you mean \"\($0)\"?" }
          ?? "; valid keys: \(known.joined(separator: ", "))")
    }
  }

  public var location: String? {
    switch self {
    case .wrongValue(_, _, _, let place), .unknown(_, _, let place): place.text
    }
  }
}
