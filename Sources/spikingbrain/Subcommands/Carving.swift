import Architectures
import Checkpoints
import Conversion
import Healing
import ModelFiles
import Recipes
import StrictJSON
import TensorTypes

/// The neurons of dense feed-forward parts divided among experts by what they do on a text, for
/// `upcycle --carve`.
struct Carving: UpcycleFitting {
  let settings: UpcycleSettings
  let output: OutputOptions
  let file: ModelFile
  /// The carved model.
  let target: ModelDescription
  private let tokens: [Int]

  /// Throws what the division would, before anything is written.
  init(
    _ file: ModelFile, settings: UpcycleSettings, output: OutputOptions, target: ModelDescription
  ) throws {
    try settings.validateFiles { _ in .commandLine }
    self.settings = settings
    self.output = output
    self.file = file
    self.target = target
    tokens = try file.tokens(of: settings.text, limit: settings.tokens)
    _ = try carver(in: "")
  }

  var fingerprint: StepFingerprint {
    StepFingerprint(
      ["checkpoint": file.fingerprint, "text": Fingerprint.of(tokens)], settings: settings.fields,
      files: file.inputs, texts: settings.text)
  }

  /// The plan with the routers and the neurons that were found.
  func fitted(_ plan: CheckpointPlan, in directory: OutputDirectory) throws -> CheckpointPlan {
    let carver = try carver(in: directory.workspace())
    let (routers, reports) = try layerByLayer(
      "carving", line: \.line, finished: carver.finishedReports,
      run: { try carver.run(progress: $0, report: $1) })
    let record: JSONValue = [
      "tokens": .int(tokens.count), "layers": .array(reports.compactMap(\.json)),
    ]
    var plan = try UpcyclePlan.make(
      from: DenseModel(file), settings: settings, fitted: routers.views,
      partition: NeuronPartition(recorded: ["fit": record]))
    plan.recipe["fit"] = record
    return plan
  }

  private func carver(in directory: String) throws -> ExpertCarver {
    try ExpertCarver(
      DescribedModel(file.description, weights: file), into: target, tokens: tokens,
      settings: settings, directory: directory)
  }
}

extension ExpertCarver.LayerReport {
  /// One line for people; nil for a dense layer.
  var line: String? {
    guard !neurons.isEmpty, let least = tokens.min(), let most = tokens.max() else { return nil }
    return "layer \(layer): \(least) to \(most) tokens per expert, error \(fixed(error, 4)) of the "
      + "feed-forward part, \(fixed(fixedError, 4)) with as many neurons that are the same for all "
      + "tokens, \(duration(seconds))"
  }

  /// The report as the manifest records it; nil for a dense layer.
  var json: JSONValue? {
    guard !neurons.isEmpty else { return nil }
    return [
      "layer": .int(layer), "tokens_per_expert": .ints(tokens), "error": .double(error),
      "error_of_fixed_neurons": .double(fixedError), "neurons": .ints(neurons),
    ]
  }
}
