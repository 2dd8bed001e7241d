import Checkpoints
import Communication
import Conversion

/// What `upcycle` computes on a text before it writes.
protocol UpcycleFitting {
  var output: OutputOptions { get }
  /// Files that the fit reads.
  var inputs: [String] { get }
  /// What determines the result: a run is resumed only when all of it is the same.
  var fingerprint: [String: String] { get }
  /// The plan with what was computed in the place of what `plan` has for it.
  func fitted(_ plan: CheckpointPlan, in directory: OutputDirectory) throws -> CheckpointPlan
}

extension UpcycleFitting {
  /// Begins the directory `out`.
  func begin(_ out: String) throws -> OutputDirectory {
    try OutputDirectory.begin(
      out, fingerprint: fingerprint, mode: output.mode, inputs: inputs, ranks: World.ranks)
  }
}
