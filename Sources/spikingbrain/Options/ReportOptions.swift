import ArgumentParser
import StrictJSON
import TensorTypes

/// What a task has to say, for programs and for people.
struct Report {
  var json: JSONValue
  var text: String
  /// Whether nothing was done, as an earlier run had done all.
  var wasComplete = false
}

/// Options of every subcommand that reports something.
struct ReportOptions: ParsableArguments {
  @Flag(help: "Print one JSON object on standard output, and nothing else there.")
  var json = false

  @Flag(help: "No progress and no notes on standard error.")
  var quiet = false

  /// Prints `object` as JSON, or else the text.
  func report(_ object: JSONValue, text: @autoclosure () -> String) {
    if json { Terminal.say(object) } else { Terminal.say(text()) }
  }

  /// Prints a report.
  func report(_ report: Report) { self.report(report.json, text: report.text) }

  /// Prints a note on standard error unless `--quiet`.
  func note(_ text: String) {
    if !quiet { Terminal.note(text.printable) }
  }
}
