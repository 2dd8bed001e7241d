public import Foundations

/// What is wrong with a model configuration.
public enum ConfigurationError: ReportableError, Equatable {
  case unknownArchitecture(String, known: [String], file: String)
  case missingKey(String, file: String)
  case wrongType(key: String, expected: String, got: String, file: String)
  case outOfRange(key: String, value: String, expected: String, file: String)
  case unsupported(key: String, value: String, reason: String, file: String)
  case inconsistent(String, file: String)

  public var what: String {
    switch self {
    case .unknownArchitecture(let name, let known, _):
      "model_type \"\(name)\" is not a known architecture (known: \(known.joined(separator: ", ")))"
    case .missingKey(let key, _): "\"\(key)\" is missing"
    case .wrongType(let key, let expected, let got, _):
      "\"\(key)\" must be \(expected), not \(got)"
    case .outOfRange(let key, let value, let expected, _):
      "\"\(key)\" is \(value), expected \(expected)"
    case .unsupported(let key, let value, let reason, _):
      "\"\(key)\": \(value) is not supported: \(reason)"
    case .inconsistent(let reason, _): reason
    }
  }

  public var location: String? {
    switch self {
    case .unknownArchitecture(_, _, let file), .missingKey(_, let file),
      .wrongType(_, _, _, let file), .outOfRange(_, _, _, let file),
      .unsupported(_, _, _, let file), .inconsistent(_, let file):
      file
    }
  }
}
