import Checkpoints
import Communication
import Conversion

/// What `upcycle` computes on a text before it writes.
protocol UpcycleFitting {
  var output: OutputOptions { get }
  /// What determines the result.
  var fingerprint: StepFingerprint { get }
  /// The plan with what was computed in the place of what `plan` has for it.
  func fitted(_ plan: CheckpointPlan, in directory: OutputDirectory) throws -> CheckpointPlan
}

extension UpcycleFitting {
  /// Runs a fit in the first process, with its progress and a line for each layer; the others find
  /// its files. Returns what it made and what it reported, of an interrupted run's layers too.
  func layerByLayer<Made, Found>(
    _ what: String, line: @escaping (Found) -> String?, finished: () throws -> [Found],
    run: (_ progress: (Double) -> Void, _ report: (Found) -> Void) throws -> Made
  ) throws -> (made: Made, reports: [Found]) {
    var reports: [Found] = []
    let progress = Progress(what, quiet: output.reporting.quiet)
    let made = try World.firstThenAll {
      reports = try finished()
      return try run { share in
        progress.update(share: share)
      } _: { report in
        progress.finish()
        reports.append(report)
        if let line = line(report) { output.reporting.note(line) }
      }
    }
    return (made, reports)
  }
}
