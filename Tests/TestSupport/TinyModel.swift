public import Architectures
import Checkpoints
public import Conversion
import Exports
import Foundations
import ModelFiles
public import StepSettings
public import StrictJSON

/// Small models of every supported kind: their configurations lie in Tests/Fixtures/configs, their
/// weights are seeded and synthesised by the test that wants them.
public enum TinyModel: String, Sendable, CaseIterable {
  case qwen2, qwen2Tied = "qwen2-tied", qwen2Windowed = "qwen2-windowed", qwen3, mistral, llama
  case llamaBias = "llama-bias", llamaLinear = "llama-rope-linear", llama3 = "llama-rope-llama3"

  /// The configuration, with some keys changed; a nil value removes its key.
  public func configuration(_ changes: [String: JSONValue?] = [:]) throws -> Configuration {
    try TinyModel.configuration(rawValue, changes)
  }

  /// The configuration in Tests/Fixtures/configs called `name`, with some keys changed.
  public static func configuration(
    _ name: String, _ changes: [String: JSONValue?] = [:]
  ) throws -> Configuration {
    let file = Repository.fixture("configs/\(name).json")
    var object = try JSONFile.object(file)
    for (key, value) in changes { object[key] = value }
    return Configuration(object, file: "config.json")
  }

  /// Writes a checkpoint of this kind to the directory `output`.
  public func synthesize(
    to output: String, _ changes: [String: JSONValue?] = [:],
    type: SyntheticType = .float32, seed: UInt64 = 1, shardSize: Int = 1 << 30
  ) throws {
    try TinyModel.synthesize(
      configuration(changes), to: output, type: type, seed: seed, shardSize: shardSize)
  }

  /// Writes a checkpoint of seeded random weights to the directory `output`.
  public static func synthesize(
    _ configuration: Configuration, to output: String,
    type: SyntheticType = .float32, seed: UInt64 = 1, shardSize: Int = 1 << 30
  ) throws {
    let plan = try SyntheticPlan.make(
      configuration, type: type, seed: seed, shardSize: ByteSize(shardSize), sparse: false)
    try write(plan, to: output)
  }

  /// Converts the checkpoint `source` to the directory `output`.
  public static func convert(
    _ source: String, to output: String, change: (inout ConvertSettings) -> Void = { _ in }
  ) throws {
    let file = try ModelFile.open(source)
    try write(
      ConversionPlan.make(from: file, settings: settings(change)), to: output,
      inputs: [source] + file.reader.files)
  }

  /// Upcycles the dense checkpoint `source` to the directory `output`.
  public static func upcycle(
    _ source: String, to output: String, change: (inout UpcycleSettings) -> Void = { _ in }
  ) throws {
    var settings = UpcycleSettings()
    change(&settings)
    let file = try ModelFile.open(source)
    try write(
      UpcyclePlan.make(from: DenseModel(file), settings: settings), to: output,
      inputs: [source] + file.reader.files)
  }

  /// Exports the checkpoint `source` to the directory `output`.
  public static func export(
    _ source: String, to output: String, profile: String,
    change: (inout ExportSettings) -> Void = { _ in }
  ) throws {
    var settings = ExportSettings(profile: profile)
    change(&settings)
    let file = try ModelFile.open(source)
    try write(
      ExportProfiles.plan(file, settings: settings), to: output,
      inputs: [source] + file.stored.files)
  }

  /// The default settings with changes.
  public static func settings(_ change: (inout ConvertSettings) -> Void) -> ConvertSettings {
    var settings = ConvertSettings()
    change(&settings)
    return settings
  }

  /// Writes a planned checkpoint.
  public static func write(
    _ plan: CheckpointPlan, to output: String, inputs: [String] = [], resume: Bool = false,
    force: Bool = false
  ) throws {
    try CheckpointExecutor(plan, tool: .init(name: "tests", version: "1"))
      .run(to: output, mode: .init(resume: resume, force: force), inputs: inputs)
  }
}
