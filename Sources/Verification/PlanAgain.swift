import Architectures
import Checkpoints
import Conversion
import Exports
import Foundations
import ModelFiles
import StepSettings
import StrictJSON

/// The plan of a checkpoint made again from its source and the steps in its manifest.
struct PlanAgain {
  /// The manifest, for messages.
  let manifestPath: String
  let source: ModelFile

  /// The plan that `step` makes of the source; nil when it cannot be made from this source.
  func plan(_ step: StepRecord?) throws -> CheckpointPlan? {
    guard let step else { return nil }
    let recorded = step.settings ?? []
    let fields = Dictionary(recorded.map { ($0.key, $0.value) }) { first, _ in first }
    // What was asked for is never guessed.
    guard [.heal, .outside].contains(step.name) || !recorded.isEmpty else { return nil }
    switch step.name {
    case .convert:
      guard source.architecture.isSource else { return nil }
      return try ConversionPlan.make(
        from: source, settings: ConvertSettings(fields: fields, file: manifestPath))
    case .calibrate:
      guard PlanAgain.isDirect(source, of: step) else { return nil }
      return try SpikingPlan.make(
        from: DenseModel(source), recorded: step.json["spiking"]?.object,
        settings: CalibrateSettings(fields: fields, file: manifestPath), file: manifestPath)
    case .heal:
      guard var plan = try plan(step.before) else { return nil }
      if let window = fields["window"].flatMap({ Int($0) }) {
        _ = plan.description.setWindow(window, in: &plan.configuration)
      }
      return plan
    case .upcycle:
      // A later stage was given: what it has of the source is not known.
      guard source.description.layers.allSatisfy({ $0.feedForward == .dense }) else { return nil }
      let settings = try UpcycleSettings(fields: fields, file: manifestPath)
      let partition = settings.carve.map { _ in NeuronPartition(recorded: step) }
      if PlanAgain.isDirect(source, of: step) {
        return try UpcyclePlan.make(
          from: DenseModel(source), settings: settings, partition: partition)
      }
      // Healed tensors are nowhere but in the healed checkpoint.
      guard step.before?.name == .convert, let dense = try plan(step.before) else { return nil }
      return try UpcyclePlan.make(
        from: DenseModel(dense), settings: settings, partition: partition)
    case .outside:
      // What a training left is there as it is, and nowhere else.
      guard !source.architecture.isSource else { return nil }
      return try ReplacementPlan.make(
        from: source, replacing: [:], by: .healed, recipe: JSONObject(),
        shardSize: ByteSize(.max), notes: [], reports: [])
    case .export:
      return try ExportProfiles.plan(
        source, settings: ExportSettings(fields: fields, file: manifestPath))
    default:
      return nil
    }
  }

  /// Whether `source` is what `step` was given, and not what that was converted from.
  static func isDirect(_ source: ModelFile, of step: StepRecord?) -> Bool {
    step?.before == nil || !source.architecture.isSource
  }
}
