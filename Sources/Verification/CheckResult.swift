/// What one check found.
public struct CheckResult: Sendable, Equatable, Codable {
  /// What was checked, for example `hashes`.
  public var name: String
  /// How it went.
  public var outcome: Outcome
  /// What was measured, or the first thing that is wrong, in words.
  public var detail: String

  /// How a check went.
  public enum Outcome: String, Sendable, Codable {
    case passed, failed, skipped
  }

  /// A finished check.
  public init(_ name: String, _ outcome: Outcome, _ detail: String) {
    self.name = name
    self.outcome = outcome
    self.detail = detail
  }

  static func passed(_ name: String, _ detail: String) -> CheckResult {
    CheckResult(name, .passed, detail)
  }

  static func failed(_ name: String, _ detail: String) -> CheckResult {
    CheckResult(name, .failed, detail)
  }

  static func skipped(_ name: String, _ detail: String) -> CheckResult {
    CheckResult(name, .skipped, detail)
  }
}
