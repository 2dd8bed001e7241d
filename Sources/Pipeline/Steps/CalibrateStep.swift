import Architectures
import Checkpoints
import Communication
import Conversion
import Foundation
import Foundations
import ModelFiles
import Spiking
public import StepSettings
import StrictJSON
import TensorTypes

/// `calibrate`: activations become spike counts.
public struct CalibrateStep: CheckpointStep {
  public static let name = StepRecord.Name.calibrate.rawValue
  public let settings: CalibrateSettings

  public init(_ settings: CalibrateSettings) { self.settings = settings }

  public func prepare(
    _ subject: Subject, teacher: String?, _ context: Context
  ) throws -> any PreparedStep {
    try PreparedCalibration(subject, settings, context)
  }
}

/// A calibration whose texts and model fit the settings.
private struct PreparedCalibration: PreparedStep {
  private let settings: CalibrateSettings
  private let subject: Subject
  private let source: DenseModel
  private let samples: [[Int]]
  private let tokens: [Int]
  private let context: Context

  /// Fewer tokens say nothing of a channel's mean.
  private static let leastTokens = 32

  init(_ subject: Subject, _ settings: CalibrateSettings, _ context: Context) throws {
    self.settings = settings
    self.subject = subject
    self.context = context
    source = try subject.dense()
    // Thresholds are measured against products of floating-point weights.
    if settings.weights != nil || settings.k != .kept, source.description.quantization != nil {
      throw ConversionError.hasQuantizedWeights
    }
    // What a dry run shows of a model that is not there yet needs no text.
    if case .planned = subject, context.isDryRun {
      (tokens, samples) = ([], [])
    } else {
      tokens = try subject.file.tokens(of: settings.text, limit: .max)
      guard tokens.count >= Self.leastTokens else {
        throw InputError.textTooShort(
          file: settings.text[0], tokens: tokens.count, needed: Self.leastTokens)
      }
      samples = SpikeCalibration.samples(
        of: tokens, count: settings.samples, context: settings.context)
      if samples.count < settings.samples {
        context.note(
          "note: the texts have \(counted(tokens.count, "token")), enough for \(samples.count) of "
            + counted(settings.samples, "sample"))
      }
    }
  }

  var fingerprint: StepFingerprint {
    StepFingerprint(
      models: [("source", subject.file)], tokens: tokens, settings: settings.fields,
      texts: settings.text)
  }

  /// The plan as far as it is known without measuring: where k is, it stands for any.
  func planned() throws -> CheckpointPlan {
    let spiking: SpikingSettings? =
      switch settings.k {
      case .kept: settings.spiking(keepingThatOf: source.description)
      case .auto: settings.spiking(of: source.description, k: 3)
      case .fixed(let k): settings.spiking(of: source.description, k: k)
      }
    let plan = try SpikingPlan.make(from: source, spiking: spiking, settings: settings)
    return try settings.weights.map { try plan.quantised($0.quantization) } ?? plan
  }

  func prediction() throws -> Report? {
    let fields = settings.fields.filter { $0.value != "none" }
    let shown = Report(
      json: ["settings": .object(JSONObject(strings: settings.fields))],
      text: "settings: " + fields.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
    guard case .file(let file) = subject, !samples.isEmpty else { return shown }
    return Report([shown, try predicted(calibration(of: file), file).report])
  }

  private func calibration(of file: ModelFile) -> SpikeCalibration {
    SpikeCalibration(
      of: file.description, weights: file,
      residency: context.limits.residency(forWeights: file.byteCount), settings: settings,
      samples: samples, ranks: context.ranks)
  }

  /// What thresholds and costs take; nothing where k is kept and not spiked.
  private func predicted(
    _ calibration: SpikeCalibration, _ file: ModelFile
  ) throws -> PredictedTime {
    try PredictedTime(
      work: settings.k == .kept ? 0 : calibration.stages.work, of: file, on: samples[0], context,
      besides: settings.weights == nil ? nil : "the rounding of weights")
  }

  func made(
    in workspace: () throws -> String, _ context: Context
  ) throws -> (plan: CheckpointPlan, findings: [Report]) {
    guard case .file(let file) = subject else { throw InputError.notWritten }
    let calibration = calibration(of: file)
    try context.predict { try predicted(calibration, file) }
    var (plan, findings) = try spiked(calibration, in: workspace)
    if let weights = settings.weights {
      let rounded = try WeightRoundingPass(settings: weights, context: context)
        .run(plan, samples: samples, in: workspace())
      plan = rounded.plan
      findings.append(
        Report(
          json: [weights.quantization.codes.rawValue: .object(try rounded.record.json)],
          text: rounded.record.text))
    }
    return (plan, findings)
  }

  /// The plan with what spikes, and what was measured for it.
  private func spiked(
    _ calibration: SpikeCalibration, in workspace: () throws -> String
  ) throws -> (plan: CheckpointPlan, findings: [Report]) {
    func plan(_ spiking: SpikingSettings?, _ measured: JSONObject) throws -> CheckpointPlan {
      try SpikingPlan.make(
        from: source, spiking: spiking, settings: settings,
        record: JSONObject([
          ("tokens", .int(calibration.tokens)), (SpikingRecord.key, .object(measured)),
        ]))
    }
    guard settings.k == .kept else {
      let result = try measure(calibration)
      let path = try workspace() + "/" + CalibrationFile.name
      if context.ranks.isFirst { try write(result, calibration, to: path) }
      let measured = try SpikingRecord(result).json()
      var plan = try plan(result.spiking, measured)
      plan.companions.append(.init(name: CalibrationFile.name, content: .copy(of: path)))
      return (plan, [Report(json: measured, text: result.text)])
    }
    let spiking = settings.spiking(keepingThatOf: source.description)
    guard let cost = try spiking.map(calibration.cost) else {
      return (try plan(spiking, JSONObject()), [])
    }
    let measured = try SpikingRecord(cost).json()
    return (try plan(spiking, measured), [Report(json: measured, text: cost.text)])
  }

  private func measure(_ calibration: SpikeCalibration) throws -> SpikeCalibration.Result {
    let progress = context.progress("calibrating")
    defer { progress.finish() }
    return try calibration.run { progress.update(share: $1, detail: $0) }
  }

  private func write(
    _ result: SpikeCalibration.Result, _ calibration: SpikeCalibration, to path: String
  ) throws {
    let samples = calibration.samples
    try CalibrationFile.write(
      result, compression: settings.compression,
      attributes: [
        ("tool", "spikingbrain \(ProgramVersion.current)"), ("k", "\(settings.k)"),
        ("coding", settings.coding.rawValue),
        ("winners", settings.winners.map { "\($0)" } ?? "none"), ("samples", "\(samples.count)"),
        ("tokens", "\(calibration.tokens)"), ("context", "\(settings.context)"),
        ("sample_ids_sha256", Digest.of(samples.flatMap(\.self))),
        ("idle_experts", result.idleExperts.joined(separator: "\n")),
      ], to: path)
    // Read back before it is trusted.
    _ = try CalibrationFile.thresholds(path)
  }
}
