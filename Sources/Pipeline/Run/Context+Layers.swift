import Architectures
import Checkpoints
import Communication
import Streams

extension Context {
  /// Runs a pass in the first process, with its progress and a line for each layer; the others find
  /// its files. Returns what it made and what it reported, of an interrupted run's layers too.
  ///
  /// - Parameter model: what is made, whose layers take the longer the more their experts are.
  func layerByLayer<Made, Found: LayerReport>(
    _ what: String, of model: ModelDescription, line: @escaping (Found) -> String? = { _ in nil },
    finished: () throws -> [Found],
    run: (_ progress: (_ share: Double, _ detail: String) -> Void, _ report: (Found) -> Void) throws
      -> Made
  ) throws -> (made: Made, reports: [Found]) {
    var reports: [Found] = []
    let kinds = model.layers.map(\.feedForward.text)
    let progress = progress(what)
    defer { progress.finish() }
    let made = try firstThenAll {
      reports = try finished()
      return try run { share, detail in
        progress.update(share: share, detail: detail)
      } _: { report in
        reports.append(report)
        if let line = line(report) { note(line) }
        progress.finished(report, of: kinds)
      }
    }
    return (made, reports)
  }
}
