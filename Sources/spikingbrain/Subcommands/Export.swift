import ArgumentParser
import Exports
import ModelFiles
import Recipes
import TensorTypes

/// `export`: a checkpoint in the form that a named loader accepts.
struct Export: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a checkpoint in the form that a named loader accepts.",
    discussion: """
      Profiles: \(ExportProfiles.all.map { "\($0.name) (\($0.loader))" }.joined(separator: ", ")). \
      What the loader will compute differently is printed and recorded in manifest.json.
      """)

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @Argument(help: "The directory to write.")
  var out: String

  @Option(help: "Which loader the result is for.")
  var profile: String

  @Option(help: "Element type of what is not quantised: keep, bfloat16, float16 or float32.")
  var dtype = ConvertSettings.OutputType.keep

  @Option(help: ArgumentHelp("Ranks that each hold a part of every matrix.", valueName: "n"))
  var tp = 1

  @Option(help: ArgumentHelp("Ranks that each hold some layers.", valueName: "n"))
  var pp = 1

  @Option(help: ArgumentHelp("Ranks that each hold some experts.", valueName: "n"))
  var ep = 1

  @Option(
    help: ArgumentHelp("Most bytes of tensors per file, e.g. 5GB.", valueName: "size"),
    transform: LimitOptions.size)
  var shardSize = ByteSize(5_000_000_000)

  @Flag(
    inversion: .prefixedNo, help: "Name the remote code of the public 7B layout in config.json.")
  var autoMap = true

  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.limits.apply()
    var settings = ExportSettings(profile: profile)
    settings.dtype = dtype
    settings.topology.tensor = tp
    settings.topology.pipeline = pp
    settings.topology.expert = ep
    settings.shardSize = shardSize
    settings.autoMap = autoMap
    try settings.validate { _ in .commandLine }
    output.reporting.report(
      try ExportRunner(settings: settings, output: output).run(ckpt, to: out))
  }
}

/// Exports one checkpoint, the same way for the subcommand and for recipes.
struct ExportRunner {
  let settings: ExportSettings
  let output: OutputOptions

  /// Writes the checkpoint `path` to the directory `out`, or describes it.
  func run(_ path: String, to out: String) throws -> Report {
    let file = try ModelFile.open(path)
    let plan = try ExportProfiles.plan(file, settings: settings)
    return try PlanRunner(output: output).run(plan, from: file.inputs, to: out)
  }
}
