import Architectures
import Checkpoints
import Communication
import Conversion
import Foundation
import ModelFiles
import Recipes
import Spiking
import StrictJSON
import TensorTypes

/// Calibrates one checkpoint, for `calibrate` and for recipes.
struct CalibrateRunner {
  let settings: CalibrateSettings
  let output: OutputOptions

  /// Calibrates the checkpoint `path` into the directory `out`, or describes it.
  func run(_ path: String, to out: String) throws -> Report {
    guard !settings.text.isEmpty else {
      throw RecipeError.wrongValue(
        key: "text", value: "missing", expected: "at least one file", place: .commandLine)
    }
    let file = try ModelFile.open(path)
    let source = try DenseModel(file)
    // Thresholds are measured against products of floating-point weights.
    if settings.weights != nil || settings.k != .kept, file.description.int8Weights != nil {
      throw ConversionError.hasInt8Weights
    }
    let (samples, tokens) = try self.samples(file)
    if output.dryRun { return try describe(source, to: out) }
    let fingerprint = StepFingerprint(
      ["source": file.fingerprint, "text": Fingerprint.of(tokens)], settings: settings.fields,
      files: file.inputs, texts: settings.text)
    if let report = try output.finished(out, fingerprint) { return report }
    let calibration = SpikeCalibration(
      of: file.description, weights: file,
      residency: output.limits.residency(forWeights: file.byteCount), settings: settings,
      samples: samples, ranks: World.ranks)
    let directory = try output.begin(out, fingerprint)
    return try directory.orAbandon {
      var (plan, found) = try spiked(source, calibration, fingerprint, in: directory)
      if let weights = settings.weights {
        let rounded = try QuantizeRunner(settings: weights, output: output)
          .run(plan, samples: samples, in: directory.workspace())
        plan = rounded.plan
        found.append((JSONObject([("int8", .object(rounded.summary.json))]), rounded.summary.text))
      }
      let written = try PlanRunner(output: output).run(
        plan, from: fingerprint.inputs, to: out, into: directory)
      var json = written.json.object ?? JSONObject()
      for (key, value) in found.flatMap(\.json.members) { json[key] = value }
      return Report(
        json: .object(json), text: (found.map(\.text) + [written.text]).joined(separator: "\n"))
    }
  }

  private typealias Finding = (json: JSONObject, text: String)

  /// The plan with what spikes, and what was measured for it.
  private func spiked(
    _ source: DenseModel, _ calibration: SpikeCalibration, _ fingerprint: StepFingerprint,
    in directory: OutputDirectory
  ) throws -> (plan: CheckpointPlan, found: [Finding]) {
    func record(_ measured: JSONObject) -> JSONObject {
      JSONObject([
        ("tokens", .int(calibration.tokens)), ("fingerprint", fingerprint.json),
        ("measured", .object(measured)),
      ])
    }
    guard settings.k == .kept else {
      let result = try measure(calibration)
      let path = try directory.workspace() + "/" + CalibrationFile.name
      if World.ranks.isFirst { try write(result, calibration, to: path) }
      var plan = try SpikingPlan.make(
        from: source, spiking: result.spiking, settings: settings, record: record(result.json))
      plan.companions.append(.init(name: CalibrationFile.name, content: .copy(of: path)))
      return (plan, [(result.json, result.text)])
    }
    let spiking = settings.spiking(keepingThatOf: source.description)
    let cost = try spiking.map(calibration.cost)
    let plan = try SpikingPlan.make(
      from: source, spiking: spiking, settings: settings,
      record: record(cost?.json ?? JSONObject()))
    return (plan, cost.map { [($0.json, $0.text)] } ?? [])
  }

  /// The pieces of text, and all tokens that they are taken from.
  private func samples(_ file: ModelFile) throws -> (samples: [[Int]], tokens: [Int]) {
    let tokens = try file.tokens(of: settings.text, limit: .max)
    guard tokens.count >= 2 else {
      throw InputError.textTooShort(file: settings.text[0], tokens: tokens.count, needed: 2)
    }
    let samples = SpikeCalibration.samples(
      of: tokens, count: settings.samples, context: settings.context)
    if samples.count < settings.samples {
      output.reporting.note(
        "note: the texts have \(counted(tokens.count, "token")), enough for \(samples.count) of "
          + counted(settings.samples, "sample"))
    }
    return (samples, tokens)
  }

  private func measure(_ calibration: SpikeCalibration) throws -> SpikeCalibration.Result {
    let progress = Progress("calibrating", quiet: output.reporting.quiet)
    defer { progress.finish() }
    var stage = ""
    return try calibration.run { what, share in
      if what != stage { progress.begin("calibrating: \(what)") }
      stage = what
      progress.update(share: share)
    }
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
        ("sample_ids_sha256", Fingerprint.of(samples.flatMap(\.self))),
        ("idle_experts", result.idleExperts.joined(separator: "\n")),
      ], to: path)
    // Read back before it is trusted.
    _ = try CalibrationFile.thresholds(path)
  }
}

extension CalibrateRunner {
  /// What would be written of `source`, an opened or a planned checkpoint; nothing is measured.
  func describe(_ source: DenseModel, to out: String) throws -> Report {
    let plan = try planned(source)
    let report = try PlanRunner(output: output).run(plan, from: [], to: out)
    let fields = settings.fields.filter { $0.value != "none" }
    var json = report.json.object ?? JSONObject()
    json["settings"] = .object(JSONObject(strings: settings.fields))
    return Report(
      json: .object(json),
      text: "settings: " + fields.map { "\($0.key) \($0.value)" }.joined(separator: ", ") + "\n"
        + report.text)
  }

  /// The plan as far as it is known without measuring: where k is, it stands for any.
  func planned(_ source: DenseModel) throws -> CheckpointPlan {
    let spiking: SpikingSettings? =
      switch settings.k {
      case .kept: settings.spiking(keepingThatOf: source.description)
      case .auto: settings.spiking(of: source.description, k: 3)
      case .fixed(let k): settings.spiking(of: source.description, k: k)
      }
    let plan = try SpikingPlan.make(from: source, spiking: spiking, settings: settings)
    return try settings.weights.map { try plan.quantised($0.granularity) } ?? plan
  }
}
