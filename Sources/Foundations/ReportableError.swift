/// An error that a person can act on: what is wrong, where, and what to do about it.
///
/// Each module has one error enum whose cases carry facts (file, tensor, expected, got) and one
/// place that words them. The command line prints `what`, `location` and `advice`, and exits
/// with `exitCode`.
public protocol ReportableError: Error, CustomStringConvertible {
  /// One sentence: what is wrong, with expected and actual values.
  var what: String { get }
  /// The file, tensor or option concerned.
  var location: String? { get }
  /// What the user can do, if there is something.
  var advice: String? { get }
  /// 1: a check failed. 2: bad input, recipe or environment.
  var exitCode: Int32 { get }
}

extension ReportableError {
  public var location: String? { nil }
  public var advice: String? { nil }
  public var exitCode: Int32 { 2 }

  public var description: String {
    var text = location.map { "\($0): \(what)" } ?? what
    if let advice { text += " (\(advice))" }
    return text
  }
}
