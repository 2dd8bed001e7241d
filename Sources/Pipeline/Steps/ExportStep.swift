public import Conversion
import Exports
import ModelFiles
public import StepSettings

/// `export`: a checkpoint in the form that a named loader accepts.
public struct ExportStep: CheckpointStep {
  public static let name = "export"
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
    guard case .file(let file) = subject else { throw InputError.notWritten }
    return PreparedPlan(
      plan: try ExportProfiles.plan(file, settings: settings),
      fingerprint: StepFingerprint(models: [("checkpoint", file)], settings: settings.fields))
  }
}
