import Architectures
import Conversion
import Exports
import ModelFiles
import StepSettings
import StrictJSON

/// The plan of a checkpoint made again from its source and the recipe in its manifest.
struct PlanAgain {
  /// The manifest, for messages.
  let manifestPath: String
  let source: ModelFile

  /// The plan that `recipe` makes of the source; nil when it cannot be made from this source.
  func plan(_ recipe: JSONValue?) throws -> CheckpointPlan? {
    switch recipe?["step"]?.string {
    case "convert":
      guard let fields = fields(recipe), source.architecture.isSource else { return nil }
      return try ConversionPlan.make(
        from: source, settings: ConvertSettings(fields: fields, file: manifestPath))
    case SpikingPlan.step:
      guard let fields = fields(recipe), PlanAgain.isDirect(source, of: recipe) else { return nil }
      return try SpikingPlan.make(
        from: DenseModel(source), recorded: recipe?["spiking"]?.object,
        settings: CalibrateSettings(fields: fields, file: manifestPath), file: manifestPath)
    case "heal":
      guard var plan = try plan(recipe?["of"]) else { return nil }
      if let window = fields(recipe)?["window"].flatMap({ Int($0) }) {
        _ = plan.description.setWindow(window, in: &plan.configuration)
      }
      return plan
    case "upcycle":
      // A later stage was given: what it has of the source is not known.
      guard let fields = fields(recipe),
        source.description.layers.allSatisfy({ $0.feedForward == .dense })
      else { return nil }
      let settings = try UpcycleSettings(fields: fields, file: manifestPath)
      let partition = settings.carve.map { _ in NeuronPartition(recorded: recipe ?? .null) }
      if PlanAgain.isDirect(source, of: recipe) {
        return try UpcyclePlan.make(
          from: DenseModel(source), settings: settings, partition: partition)
      }
      // Healed tensors are nowhere but in the healed checkpoint.
      guard recipe?["of"]?["step"]?.string == "convert", let dense = try plan(recipe?["of"]) else {
        return nil
      }
      return try UpcyclePlan.make(
        from: DenseModel(dense), settings: settings, partition: partition)
    case ExportProfiles.step:
      guard let fields = fields(recipe) else { return nil }
      return try ExportProfiles.plan(
        source, settings: ExportSettings(fields: fields, file: manifestPath))
    default:
      return nil
    }
  }

  /// Whether `source` is what `recipe` upcycled, and not what that was converted from.
  static func isDirect(_ source: ModelFile, of recipe: JSONValue?) -> Bool {
    guard let before = recipe?["of"], !before.isNull else { return true }
    return !source.architecture.isSource
  }

  private func fields(_ recipe: JSONValue?) -> [String: String]? {
    guard let object = recipe?["settings"]?.object else { return nil }
    return Dictionary(
      object.members.map { ($0.key, $0.value.string ?? "") },
      uniquingKeysWith: { first, _ in first })
  }
}
