public import Conversion
import Foundations
public import StepSettings
import TensorTypes

/// One thing the program does to a checkpoint, with its settings.
///
/// A step is a value: what it reads and writes is given when it is run. Adding one is a file with a
/// type that conforms to `CheckpointStep` or `CheckStep`, and a line in `Steps.all`, which makes it a
/// step of recipes too. Every `run` begins with `begin`.
public protocol Step: Sendable {
  /// Its settings.
  associatedtype Keys: SettingKeys
  /// Its name in recipes, in manifests and on the command line.
  static var name: String { get }
  /// What it was told.
  var settings: Settings<Keys> { get }
  /// The step with these settings.
  init(_ settings: Settings<Keys>)
  /// Whether it reads no weights: of a model on the Hub only headers are fetched then.
  func readsHeadersOnly(_ context: Context) -> Bool
}

/// A step that makes a new checkpoint.
public protocol CheckpointStep: Step {
  /// Whether it learns from another model, in a recipe the source.
  var learns: Bool { get }
  /// Whether what it makes is compared with what the pipeline started from, and not with what it was
  /// given itself.
  static var isComparedWithSource: Bool { get }
  /// Opens what is read and finds whatever can be found before anything is written.
  ///
  /// - Parameters:
  ///   - subject: the checkpoint to start from.
  ///   - teacher: the path of the model to learn from, where the step has a use for one; nil for none.
  /// - Throws: `InputError.notWritten` when it takes the bytes of a checkpoint and this is planned only.
  func prepare(
    _ subject: Subject, teacher: String?, _ context: Context
  ) throws -> any PreparedStep
}

/// A step that says something of a checkpoint and writes none.
public protocol CheckStep: Step {
  /// Whether it measures a model by itself: in a recipe the source is measured too, and one process
  /// does it.
  static var isMeasurement: Bool { get }
  /// Looks at the checkpoint `path`, beside what it is compared with; `run` calls it once the settings
  /// hold.
  ///
  /// - Parameter source: the path of the checkpoint it was made from; nil where that is not known.
  func check(_ path: String, source: String?, _ context: Context) throws -> Report
}

/// A step whose inputs are open and fit its settings.
public protocol PreparedStep {
  /// What determines its result.
  var fingerprint: StepFingerprint { get }
  /// What it will write, as far as that is known before it has computed anything.
  func planned() throws -> CheckpointPlan
  /// What a dry run shows of it: the same, unless something short is measured for it first.
  func shown() throws -> CheckpointPlan
  /// What it would take; nil where that is nothing to speak of.
  func prediction() throws -> Report?
  /// Most bytes of the files that it needs beside what it writes.
  var workspaceBytes: Int { get }
  /// Computes what has to be computed, and returns what is to be written and what was found.
  ///
  /// - Parameter workspace: makes the directory for files of its own, which a resumed run finds as
  ///   the interrupted one left them.
  func made(
    in workspace: () throws -> String, _ context: Context
  ) throws -> (plan: CheckpointPlan, findings: [Report])
}

extension CheckpointStep {
  public var learns: Bool { false }
  public static var isComparedWithSource: Bool { false }

  /// The same as `prepare` in a recipe, with the line of the settings when the model does not allow them.
  func prepare(
    inRecipe subject: Subject, teacher: String?, _ context: Context
  ) throws -> any PreparedStep {
    do {
      return try prepare(subject, teacher: teacher, context)
    } catch InputError.notWritten {
      throw InputError.notWritten
    } catch let error as any ReportableError {
      let setting = (error as? ConversionError)?.setting
      guard error.location == nil, let place = settings.place(of: setting) else { throw error }
      throw RecipeError.step(error.what, advice: error.advice, place: place)
    }
  }
}

extension CheckStep {
  public static var isMeasurement: Bool { false }

  /// Looks at the checkpoint `path`, beside what it is compared with; throws where the settings do not
  /// hold.
  ///
  /// - Parameter source: the path of the checkpoint it was made from; nil where that is not known.
  public func run(_ path: String, source: String?, _ context: Context) throws -> Report {
    try begin(context)
    let source = try source.map(context.local)
    return try context.with(path, headersOnly: readsHeadersOnly(context)) {
      try check($0, source: source, context)
    }
  }
}

extension PreparedStep {
  public func shown() throws -> CheckpointPlan { try planned() }

  public func prediction() throws -> Report? { nil }

  public var workspaceBytes: Int { 0 }
}

extension Step {
  public func readsHeadersOnly(_ context: Context) -> Bool { false }

  /// What every run of a step begins with, so that no step has to: throws where its settings do not hold,
  /// and bounds what the run may use.
  package func begin(_ context: Context) throws {
    try settings.validate()
    try context.limits.apply()
  }

  /// The step with the paths among its settings changed by `change`.
  func resolvingPaths(_ change: (String) -> String) -> Self {
    var settings = settings
    for setting in Keys.all where setting.paths != nil {
      settings.change(setting.name) { $0.map(change) }
    }
    return Self(settings)
  }

  /// The paths of its texts.
  var texts: [String] {
    Keys.all.filter { $0.paths == .text }.flatMap { settings.texts($0.name) }
  }

  /// The paths of all files that it reads.
  var paths: [String] {
    Keys.all.filter { $0.paths != nil }.flatMap { settings.texts($0.name) }
  }
}
