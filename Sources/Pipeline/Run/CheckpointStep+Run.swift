import Checkpoints
import Communication
import Conversion
import Foundation
import Foundations
import ModelFiles
import StepSettings
import StrictJSON

extension CheckpointStep {
  /// Makes a checkpoint from the one at `path`, or describes it in a dry run.
  ///
  /// The output appears in the directory `out` complete or not at all. All processes call this.
  ///
  /// - Parameters:
  ///   - teacher: the model to learn from, where the step has a use for one.
  /// - Returns: what to report.
  public func run(
    _ path: String, teacher: String? = nil, to out: String, _ context: Context
  ) throws -> Report {
    try begin(context)
    let teacher = try teacher.map(context.local)
    return try context.with(path, headersOnly: readsHeadersOnly(context)) {
      let subject = Subject.file(try context.open($0, isLast: teacher == nil))
      let prepared = try prepare(subject, teacher: teacher, context)
      return try context.run(prepared, to: out).report
    }
  }
}

extension Context {
  /// Writes what `step` makes to the directory `out`, or describes it; also what was written, or
  /// would be: nil when it was there.
  func run(
    _ step: any PreparedStep, to out: String
  ) throws -> (report: Report, plan: CheckpointPlan?) {
    let fingerprint = step.fingerprint
    if isDryRun {
      let plan = try step.shown()
      let summary = PlanSummary(plan, try executor(plan).files)
      let report = Report(
        [try step.prediction(), summary.planned(out, force: mode.force)].compactMap(\.self))
      return (report, plan)
    }
    if try isFinished(out, fingerprint) { return (.alreadyComplete(out), nil) }
    send(.resumable)
    let directory: OutputDirectory
    do {
      directory = try OutputDirectory.begin(
        out, fingerprint: fingerprint.journal, mode: mode, inputs: fingerprint.inputs, ranks: ranks)
    } catch CheckpointError.outputDiffers(let path, _) {
      let made = (try? Manifest(directory: path))?.step
      throw CheckpointError.outputDiffers(
        path: path, differences: made?.differences(from: fingerprint.settings) ?? [])
    }
    return try directory.orAbandon {
      let started = Date()
      // A full disk is found now, not after hours of computing. What a resumed run has made already is there.
      if !mode.resume {
        try ranks.together {
          guard ranks.isFirst else { return }
          try executor(step.planned()).requireSpace(in: directory, workspace: step.workspaceBytes)
        }
      }
      var (plan, findings) = try step.made(in: { try directory.workspace() }, self)
      plan.recipe["fingerprint"] = fingerprint.json
      if !fingerprint.ignoredTensors.isEmpty {
        plan.recipe[StepRecord.ignoredTensorsKey] = .array(
          fingerprint.ignoredTensors.map { .string($0) })
      }
      let written = try write(plan, to: directory, since: started)
      var report = Report(findings + [written])
      // Where both have a fact by the same name, what was found is the one to tell.
      report.json = Report([written] + findings).json
      return (report, plan)
    }
  }

  /// `plan` with what `measure` finds of it, which the first process does: it writes the manifest that
  /// holds it.
  func measured(
    _ plan: CheckpointPlan, by measure: () throws -> Report
  ) throws -> (plan: CheckpointPlan, findings: [Report]) {
    let found = try ranks.together { ranks.isFirst ? try measure() : nil }
    guard let found else { return (plan, []) }
    var plan = plan
    plan.measurements = found.json
    return (plan, [Report(json: ["measured": .object(found.json)], text: found.text)])
  }

  func executor(_ plan: CheckpointPlan) throws -> CheckpointExecutor {
    try CheckpointExecutor(plan, tool: Self.tool, ranks: ranks)
  }

  /// Whether the run is a resumed one and `out` is the result already.
  func isFinished(_ out: String, _ fingerprint: StepFingerprint) throws -> Bool {
    guard mode.resume else { return false }
    return try ranks.first {
      try OutputDirectory.isComplete(out, inputs: fingerprint.files) {
        $0.recipe["fingerprint"] == fingerprint.json
      }
    }
  }

  /// Writes `plan` to a directory that was begun; returns what to report.
  func write(
    _ plan: CheckpointPlan, to directory: OutputDirectory, since started: Date
  ) throws -> Report {
    let executor = try executor(plan)
    let progress = progress("writing \(directory.path)", unit: .bytes)
    // Summed once: a plan of 76 B parameters has tens of thousands of tensors, and as many blocks.
    let bytes = plan.byteCount
    let begun = Date()
    try executor.write(to: directory) { progress.update(done: $0, total: bytes) }
    progress.finish()
    for note in plan.notes { self.note("note: \(note)") }
    let summary = PlanSummary(plan, executor.files)
    var json = summary.json
    json["output"] = .string(directory.path)
    json["seconds"] = .double(Date().timeIntervalSince(started))
    return Report(
      json: json,
      text: "wrote \(directory.path): \(counted(plan.tensors.count, "tensor")), \(ByteSize(bytes)) "
        + "in \(counted(executor.files.count, "file")), "
        + speed(bytes, Date().timeIntervalSince(begun)))
  }
}
