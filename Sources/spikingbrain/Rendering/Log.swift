import ArgumentParser
import Foundation
import Foundations
import StrictJSON

/// How much is said on standard error.
enum LogLevel: String, CaseIterable, Comparable, ExpressibleByArgument {
  /// Nothing but why the run ended.
  case error
  /// Also what a user should know.
  case note
  /// Also how far the work is: a line that is written over on a terminal, one every 30 s elsewhere.
  case progress

  static func < (a: LogLevel, b: LogLevel) -> Bool { a.rank < b.rank }

  private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// The form of what is said on standard error.
enum LogFormat: String, CaseIterable, ExpressibleByArgument {
  /// Lines for people.
  case text
  /// One JSON object a line: `time`, `level`, `message`, and facts.
  case json
}

extension Terminal {
  /// Says `message` on standard error, in the form that was chosen.
  static func log(_ level: LogLevel, _ message: String, _ facts: JSONObject = JSONObject()) {
    guard isStructured else { return note(message) }
    var line = JSONObject()
    line["time"] = .string(Date().formatted(.iso8601))
    line["level"] = .string(level.rawValue)
    line["message"] = .string(message)
    note(raw: JSONValue.object(line.merging(facts)).compact.escapedForTerminal)
  }
}
