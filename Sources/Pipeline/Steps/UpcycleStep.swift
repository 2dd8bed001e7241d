import Architectures
import Checkpoints
import Communication
import Conversion
import Foundations
import ModelFiles
import Runtime
public import StepSettings
import StrictJSON
import Verification

/// `upcycle`: dense feed-forward parts become experts.
public struct UpcycleStep: CheckpointStep {
  public static let name = StepRecord.Name.upcycle.rawValue
  public let settings: UpcycleSettings

  public init(_ settings: UpcycleSettings) { self.settings = settings }

  public var learns: Bool { settings.router == .clustered }

  public func prepare(
    _ subject: Subject, teacher: String?, _ context: Context
  ) throws -> any PreparedStep {
    if let teacher, !learns {
      throw InputError.option("--teacher", value: teacher, expected: "only with --router clustered")
    }
    let dense = try subject.dense()
    let plan = try UpcyclePlan.make(from: dense, settings: settings)
    let copies = PreparedCopies(
      subject: subject, dense: dense, settings: settings, plan: plan)
    // Nothing is fitted to weights that are not there yet.
    guard settings.readsText, case .file(let file) = subject else { return copies }
    guard settings.carve == nil else {
      return try Carving(
        file, settings: settings, target: plan.description, copies: copies, context)
    }
    return try ExpertFitting(
      file, teacher: teacher.map { try context.openOther($0, after: file) }, settings: settings,
      plan: plan, copies: copies, context)
  }
}

/// An upcycling whose experts are scaled copies, or whatever a fit has made of them.
struct PreparedCopies: PreparedStep {
  let subject: Subject
  let dense: DenseModel
  let settings: UpcycleSettings
  let plan: CheckpointPlan

  var fingerprint: StepFingerprint {
    StepFingerprint(models: [("checkpoint", subject.file)], settings: settings.fields)
  }

  func planned() -> CheckpointPlan { plan }

  func made(
    in workspace: () throws -> String, _ context: Context
  ) throws -> (plan: CheckpointPlan, findings: [Report]) {
    try measured(plan, context)
  }

  /// `plan` with its distance from the dense model, which is measured before anything is written.
  func measured(
    _ plan: CheckpointPlan, _ context: Context
  ) throws -> (plan: CheckpointPlan, findings: [Report]) {
    guard case .file = subject else { throw InputError.notWritten }
    return try context.measured(plan) {
      let distance = try distance(of: plan, context.limits.measuring)
      return Report(json: distance.json, text: distance.text)
    }
  }

  /// Runs the planned model against the dense one, and against itself with even routers.
  private func distance(
    of plan: CheckpointPlan, _ residency: Model.Residency
  ) throws -> DenseDistance {
    func model(_ plan: CheckpointPlan) throws -> Model {
      try Model(plan.description, weights: PlannedWeights(plan), residency: residency)
    }
    let file = subject.file
    let tokens = ProbeText.tokens(for: file)
    let original = try Model(file.description, weights: file, residency: residency)
    let upcycled = try model(plan)
    let distance = try LogitDistance(of: upcycled, from: original, on: tokens)
    var byRouter = 0.0
    if case .random = settings.router {
      var even = settings
      even.router = .zero
      let reference = try model(UpcyclePlan.make(from: dense, settings: even))
      byRouter = try LogitDistance(of: upcycled, from: reference, on: tokens).relative
    }
    guard byRouter <= settings.tolerance else {
      throw ConversionError.routerTooFar(
        router: "\(settings.router)", error: byRouter, tolerance: settings.tolerance)
    }
    return DenseDistance(distance, byRouter: byRouter)
  }
}

extension DenseDistance {
  /// For people.
  fileprivate var text: String {
    var text =
      "logits differ from the dense model's by at most \(scientific(largest)) of the largest, "
      + "\(scientific(rootMeanSquare)) in root mean square (\(counted(tokens, "token")))"
    if byRouter > 0 { text += "; the router alone causes \(scientific(byRouter))" }
    if let load { text += "\neach expert was sent \(load[0]) to \(load[1]) of them" }
    return text
  }
}
