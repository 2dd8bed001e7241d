import Architectures
import ArgumentParser
import Checkpoints
import Conversion
import Foundation
import ModelFiles
import Recipes
import Spiking
import StrictJSON
import TensorTypes

/// `calibrate`: activations become spike counts.
struct Calibrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes a model's activations spike: measures them on text and chooses thresholds.",
    discussion: """
      Every projection then reads s · V_th with V_th = mean|x| / k and s = round(x / V_th). \
      Embeddings, routers, decay gates and the output head stay as they are. What was measured is \
      written to calibration.h5. Use other text for evaluation than for calibration.
      """)

  @Argument(help: "A checkpoint: a source or a converted one.")
  var ckpt: String

  @Argument(help: "The directory to write.")
  var out: String

  @OptionGroup var options: CalibrateOptions
  @OptionGroup var int8: Int8Options
  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.limits.apply()
    var runner = CalibrateRunner(settings: try options.settings(), output: output)
    runner.int8 = try int8.settings()
    runner.spikes = options.k != "none"
    if !runner.spikes, runner.int8 == nil {
      throw InputError.option("--k", value: "none", expected: "together with --weights int8")
    }
    output.reporting.report(try runner.run(ckpt, to: out))
  }
}

/// Calibrates one checkpoint.
struct CalibrateRunner {
  let settings: CalibrateSettings
  let output: OutputOptions
  /// How weights are rounded to INT8; nil when they stay as they are.
  var int8: QuantizationSettings?
  /// Whether activations are spiked.
  var spikes = true

  /// Calibrates the checkpoint `path` into the directory `out`, or describes it.
  func run(_ path: String, to out: String) throws -> Report {
    guard !settings.text.isEmpty else {
      throw RecipeError.wrongValue(
        key: "text", value: "missing", expected: "at least one file", place: .commandLine)
    }
    let file = try ModelFile.open(path)
    let source = try DenseModel(file)
    if int8 != nil, file.description.int8Weights != nil { throw ConversionError.hasInt8Weights }
    let (samples, tokens) = try self.samples(file)
    let calibration = SpikeCalibration(
      of: file.description, weights: file,
      residency: output.limits.residency(forWeights: file.byteCount), settings: settings,
      samples: samples)
    let inputs = file.inputs + settings.text
    let runner = PlanRunner(output: output)
    if output.dryRun {
      let k = if case .fixed(let k) = settings.k { k } else { 3.0 }
      var plan = try SpikingPlan.make(
        from: source, spiking: file.description.spikingSettings { _ in k }, settings: settings)
      if !spikes { plan = try unspiked(source, fingerprint: [:]) }
      return try runner.run(plan, from: inputs, to: out)
    }
    let fingerprint = fingerprint(file, tokens)
    if output.resume, !output.force, Self.isComplete(out, fingerprint) {
      return Report(
        json: ["output": .string(out)], text: "\(out) is already complete")
    }
    let directory = try OutputDirectory(
      begin: out, fingerprint: fingerprint, resume: output.resume, force: output.force,
      inputs: inputs)
    do {
      var plan = try unspiked(source, fingerprint: fingerprint)
      var found: [(json: JSONObject, text: String)] = []
      if spikes {
        let result = try measure(calibration)
        let calibrated = try directory.workspace() + "/" + CalibrationFile.name
        try write(result, samples, to: calibrated)
        plan = try SpikingPlan.make(
          from: source, spiking: result.spiking, settings: settings,
          record: record(result, samples, fingerprint))
        plan.companions.append(.init(name: CalibrationFile.name, content: .copy(of: calibrated)))
        found.append((result.json, result.text))
      }
      if let int8 {
        let rounded = try QuantizeRunner(settings: int8, output: output)
          .run(plan, samples: samples, in: directory.workspace())
        plan = rounded.plan
        found.append((JSONObject([("int8", .object(rounded.summary.json))]), rounded.summary.text))
      }
      let written = try runner.run(plan, from: inputs, to: out, into: directory)
      var json = written.json.object ?? JSONObject()
      for (key, value) in found.flatMap(\.json.members) { json[key] = value }
      return Report(
        json: .object(json), text: (found.map(\.text) + [written.text]).joined(separator: "\n"))
    } catch {
      directory.abandon()
      throw error
    }
  }

  /// The checkpoint as it is, in our own layout.
  private func unspiked(
    _ source: DenseModel, fingerprint: [String: String]
  ) throws -> CheckpointPlan {
    try LayoutPlan.make(
      from: source,
      recipe: JSONObject([
        ("step", .string(SpikingPlan.step)), ("fingerprint", Self.json(fingerprint)),
      ]), shardSize: settings.shardSize)
  }

  private static func json(_ fields: [String: String]) -> JSONValue {
    .object(JSONObject(strings: fields.sorted { $0.key < $1.key }))
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
        "note: the texts have \(tokens.count) tokens, enough for \(samples.count) of "
          + "\(settings.samples) samples")
    }
    return (samples, tokens)
  }

  private func measure(_ calibration: SpikeCalibration) throws -> SpikeCalibration.Result {
    let progress = Progress("calibrating", quiet: output.reporting.quiet)
    defer { progress.finish() }
    return try calibration.run { what, share in
      progress.update(done: Int(share * 1000), total: 1000) { "\(what), \($0 / 10)%" }
    }
  }

  private func write(
    _ result: SpikeCalibration.Result, _ samples: [[Int]], to path: String
  ) throws {
    try CalibrationFile.write(
      result,
      attributes: [
        ("tool", "spikingbrain \(ProgramVersion.current)"), ("k", "\(settings.k)"),
        ("coding", settings.coding.rawValue), ("samples", "\(samples.count)"),
        ("tokens", "\(samples.reduce(0) { $0 + $1.count })"),
        ("context", "\(settings.context)"),
        ("sample_ids_sha256", Fingerprint.of(samples.flatMap(\.self))),
        ("idle_experts", result.idleExperts.joined(separator: "\n")),
      ], to: path)
    // Read back before it is trusted.
    _ = try CalibrationFile.thresholds(path)
  }

  private func record(
    _ result: SpikeCalibration.Result, _ samples: [[Int]], _ fingerprint: [String: String]
  ) -> JSONObject {
    JSONObject([
      ("tokens", .int(samples.reduce(0) { $0 + $1.count })),
      ("fingerprint", Self.json(fingerprint)),
      ("measured", .object(result.json)),
    ])
  }

  /// What determines the result: a run is resumed only when all of it is the same.
  private func fingerprint(_ file: ModelFile, _ tokens: [Int]) -> [String: String] {
    [
      "version": ProgramVersion.current,
      "source": file.fingerprint,
      "text": Fingerprint.of(tokens),
      "settings": Fingerprint.of("\(settings.fields) \(spikes) \(int8?.fields ?? [])"),
    ]
  }

  private static func isComplete(_ out: String, _ fingerprint: [String: String]) -> Bool {
    guard let recorded = (try? Manifest(directory: out))?.recipe["fingerprint"]?.object else {
      return false
    }
    return Dictionary(
      recorded.members.map { ($0.key, $0.value.string ?? "") }, uniquingKeysWith: { $1 })
      == fingerprint
  }
}

extension SpikeCalibration.Result {
  /// The result as the command line prints it with `--json` and manifests record it.
  var json: JSONObject {
    let total = total
    var object = JSONObject([
      ("channels", .int(total.channels)),
      ("silent_share", .rounded(total.silentShare, 5)),
      ("spikes_per_channel", .rounded(total.spikesPerChannel(.bitwise), 5)),
      ("share_up_to_7", .rounded(total.share(upTo: 7), 5)),
      ("largest_count", .int(total.maximum)),
    ])
    for definition in Sparsity.allCases {
      object["sparsity_" + definition.rawValue.replacing("-", with: "_")] = .rounded(
        total.sparsity(definition), 5)
    }
    object["perplexity_unspiked"] = .rounded(perplexity.unspiked, 4)
    object["perplexity_spiked"] = .rounded(perplexity.spiked, 4)
    object["idle_experts"] = .array(idleExperts.map { .string($0) })
    return object
  }

  /// The result in words.
  var text: String {
    let total = total
    var table = Table()
    func percent(_ share: Double) -> String { "\(fixed(100 * share, 2))%" }
    table.add("silent channels", percent(total.silentShare), "report: 18.4%")
    table.add(
      "spikes per channel", fixed(total.spikesPerChannel(.bitwise), 3),
      "bitwise; report: 1.13")
    table.add("|s| <= 7", percent(total.share(upTo: 7)), "report: 94.1%")
    table.add("largest count", "\(total.maximum)")
    for definition in Sparsity.allCases {
      table.add(
        "sparsity", percent(total.sparsity(definition)),
        definition.text + (definition == .ownLength ? "; report: 69.15% by no stated one" : ""))
    }
    let increase = perplexity.spiked / perplexity.unspiked - 1
    table.add(
      "perplexity", "\(fixed(perplexity.unspiked, 3)) -> \(fixed(perplexity.spiked, 3))",
      "\(increase < 0 ? "" : "+")\(fixed(100 * increase, 2))% from spikes alone, on a few of the samples"
    )
    if let ks = spiking.thresholds(of: { $0 != .rotatedQuery }) { table.add("k", ks) }
    if !idleExperts.isEmpty {
      table.add("no tokens", idleExperts.joined(separator: ", "), "use their layer's k")
    }
    return table.text
  }
}

extension JSONValue {
  /// A measured number with some decimal places.
  static func rounded(_ value: Double, _ places: Int) -> JSONValue { .number(fixed(value, places)) }
}
