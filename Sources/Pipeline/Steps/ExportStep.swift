import Architectures
import Checkpoints
import Conversion
import Exports
import Mixers
import ModelFiles
public import StepSettings

/// `export`: a checkpoint in the form that a named loader accepts.
public struct ExportStep: CheckpointStep {
  public static let name = StepRecord.Name.export.rawValue
  public let settings: ExportSettings

  public init(_ settings: ExportSettings) { self.settings = settings }

  /// The profiles there are, each with the loader that it is for.
  public static var profiles: [(name: String, loader: String)] {
    ExportProfiles.all.map { ($0.name, $0.loader) }
  }

  public func prepare(
    _ subject: Subject, teacher: String?, _ context: Context
  ) throws -> any PreparedStep {
    _ = try ExportProfiles.named(settings.profile)
    guard case .file(let given) = subject else { throw InputError.notWritten }
    let file = try given.merging(settings.lora.map(context.local))
    var plan = try ExportProfiles.plan(file, settings: settings)
    if let note = try Self.unhealed(file) { plan.notes.append(note) }
    return PreparedPlan(
      plan: plan,
      fingerprint: StepFingerprint(models: [("checkpoint", file)], settings: settings.fields))
  }

  /// What to say of a conversion with linear layers that was never healed; nil of others.
  private static func unhealed(_ file: ModelFile) throws -> String? {
    let isLinear = file.description.layers.contains { $0.mixer.isOnlyLinear }
    let steps = Set(try file.history().steps.map(\.name))
    guard isLinear, steps.contains(.convert), steps.isDisjoint(with: [.heal, .outside]) else {
      return nil
    }
    return "The checkpoint is a conversion that was not healed: it has no language yet."
  }
}
