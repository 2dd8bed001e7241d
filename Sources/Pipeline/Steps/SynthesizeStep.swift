import Architectures
import Checkpoints
import Conversion
import ModelFiles
public import StepSettings
import StrictJSON

/// `synthesize`: seeded random checkpoints of any size, for tests.
public struct SynthesizeStep: Step {
  public static let name = StepRecord.Name.synthesize.rawValue
  public let settings: Settings<SynthesizeKeys>

  public init(_ settings: Settings<SynthesizeKeys>) { self.settings = settings }

  /// Writes a checkpoint of the shapes that the configuration file `config` says to the directory
  /// `out`, or describes it.
  public func run(_ config: String, to out: String, _ context: Context) throws -> Report {
    try begin(context)
    var object = try JSONFile.object(config)
    if let layers = settings.layers { object["num_hidden_layers"] = .int(layers) }
    let plan = try SyntheticPlan.make(
      Configuration(object, file: config), type: settings.dtype, seed: settings.seed,
      shardSize: settings.shardSize, sparse: settings.sparse)
    let prepared = PreparedPlan(
      plan: plan,
      fingerprint: StepFingerprint(
        models: [], settings: settings.fields, texts: [config],
        others: ["config": Digest.of(JSONValue.object(object).compact)]))
    return try context.run(prepared, to: out).report
  }
}
