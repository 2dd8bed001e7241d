import Architectures
public import ArgumentParser
import Checkpoints
public import Conversion
import ModelFiles
import StrictJSON
import TensorTypes

/// `synthesize`: seeded random checkpoints of any size, for tests.
struct Synthesize: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a checkpoint of seeded random weights in a source architecture's layout.",
    discussion: "--sparse writes headers and holes only: a checkpoint of any size in no space.")

  @Argument(help: ArgumentHelp("A config.json of a known architecture.", valueName: "config.json"))
  var config: String

  @Argument(help: "The directory to write.")
  var out: String

  @Option(help: "Seed of the weights.")
  var seed: UInt64 = 0

  @Option(help: "Use this many layers instead of the configuration's.")
  var layers: Int?

  @Option(help: "Element type of the weights: bfloat16, float16 or float32.")
  var dtype = SyntheticPlan.ElementType.bfloat16

  @Option(
    help: ArgumentHelp("Most bytes of tensors per file, e.g. 5GB.", valueName: "size"),
    transform: LimitOptions.size)
  var shardSize = ByteSize(5_000_000_000)

  @Flag(help: "Headers and holes only.")
  var sparse = false

  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.limits.apply()
    guard shardSize.bytes > 0 else {
      throw InputError.option("--shard-size", value: "0", expected: "a size like 5GB")
    }
    if let layers, layers < 1 {
      throw InputError.option("--layers", value: "\(layers)", expected: "1 or more")
    }
    var object = try JSONFile.object(config)
    if let layers { object["num_hidden_layers"] = .int(layers) }
    let plan = try SyntheticPlan.make(
      Configuration(object, file: config), type: dtype, seed: seed, shardSize: shardSize,
      sparse: sparse)
    output.reporting.report(try PlanRunner(output: output).run(plan, from: [config], to: out))
  }
}

extension SyntheticPlan.ElementType: ExpressibleByArgument {}
