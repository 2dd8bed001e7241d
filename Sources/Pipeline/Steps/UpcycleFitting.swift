import Checkpoints
import Communication

extension Context {
  /// Runs a fit in the first process, with its progress and a line for each layer; the others find
  /// its files. Returns what it made and what it reported, of an interrupted run's layers too.
  func layerByLayer<Made, Found>(
    _ what: String, line: @escaping (Found) -> String?, finished: () throws -> [Found],
    run: (_ progress: (Double) -> Void, _ report: (Found) -> Void) throws -> Made
  ) throws -> (made: Made, reports: [Found]) {
    var reports: [Found] = []
    let progress = progress(what)
    defer { progress.finish() }
    let made = try firstThenAll {
      reports = try finished()
      return try run { share in
        progress.update(share: share)
      } _: { report in
        reports.append(report)
        if let line = line(report) { note(line) }
      }
    }
    return (made, reports)
  }
}
