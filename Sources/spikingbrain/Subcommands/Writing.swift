import ArgumentParser
import Pipeline
import StepSettings

/// `convert`: a Transformer becomes a SpikingBrain checkpoint.
struct Convert: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Maps a Transformer checkpoint to SpikingBrain weights.",
    discussion: """
      Weights are copied byte for byte (or cast on request); the decay gates of linear layers are \
      new. OUT appears only when everything is written and synced.
      """)

  @Argument(
    help: "The source: a Transformer checkpoint (\(ConvertStep.sources.joined(separator: ", "))).")
  var ckpt: String

  @Argument(help: "The directory to write.")
  var out: String

  @OptionGroup var options: SettingsOptions<ConvertKeys>
  @OptionGroup var inputs: InputOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.run(inputs) { try ConvertStep(options.settings()).run(ckpt, to: out, $0) }
  }
}

/// `heal`: refits the linear layers of a conversion against its source.
struct Heal: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Refits converted linear layers against the source model, on a CPU.",
    discussion: """
      Layer by layer, each linear layer is fitted to give the source's attention output on a \
      calibration text: in closed form, by gradients, and in closed form again. --distill-steps \
      then trains linear layers, all attention or experts through the whole model. Use other text \
      for evaluation than for healing.
      """)

  @Argument(help: "The converted or upcycled checkpoint.")
  var ckpt: String

  @Option(help: ArgumentHelp("The source it was converted from.", valueName: "ckpt"))
  var teacher: String

  @Option(
    name: .customLong("output"), help: ArgumentHelp("The directory to write.", valueName: "dir"))
  var out: String

  @OptionGroup var options: SettingsOptions<HealKeys>
  @OptionGroup var inputs: InputOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.run(inputs) {
      try HealStep(options.settings()).run(ckpt, teacher: teacher, to: out, $0)
    }
  }
}

/// `upcycle`: dense feed-forward parts become experts.
struct Upcycle: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turns dense feed-forward parts into experts that are copies or parts of them.",
    discussion: """
      Every expert is a scaled copy, so that the model computes what it did; how far it is from \
      that is measured before anything is written. Copies have to be trained to be worth more; \
      --router clustered with --teacher refits them to regions of a text instead, so that they \
      repair some of what a conversion lost.

      With --carve experts are parts instead: every neuron goes to one of them, and a token passes \
      through the shared expert and --top-k others: fewer neurons, less exact.
      """)

  @Argument(help: "A dense checkpoint: a source or a converted one.")
  var ckpt: String

  @Argument(help: "The directory to write.")
  var out: String

  @Option(
    help: ArgumentHelp(
      "With --router clustered: refit each expert on its region towards this model, usually the "
        + "source of the conversion.", valueName: "ckpt"))
  var teacher: String?

  @OptionGroup var options: SettingsOptions<UpcycleKeys>
  @OptionGroup var inputs: InputOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.run(inputs) {
      try UpcycleStep(options.settings()).run(ckpt, teacher: teacher, to: out, $0)
    }
  }
}

/// `calibrate`: activations become spike counts.
struct Calibrate: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes a model's activations spike: measures them on text and chooses thresholds.",
    discussion: """
      Every projection then reads s · V_th with V_th = mean|x| / k and s = round(x / V_th). \
      Embeddings, routers, decay gates and the output head stay as they are. What was measured is \
      written to calibration.h5. Use other text for evaluation than for calibration.
      """)

  @Argument(help: "A checkpoint: a source or a converted one.")
  var ckpt: String

  @Argument(help: "The directory to write.")
  var out: String

  @OptionGroup var options: SettingsOptions<CalibrateKeys>
  @OptionGroup var inputs: InputOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.run(inputs) { try CalibrateStep(options.settings()).run(ckpt, to: out, $0) }
  }
}

/// `export`: a checkpoint in the form that a named loader accepts.
struct Export: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a checkpoint in the form that a named loader accepts.",
    discussion: """
      Profiles: \(ExportStep.profiles.map { "\($0.name) (\($0.loader))" }.joined(separator: ", ")). \
      What the loader will compute differently is printed and recorded in manifest.json.
      """)

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @Argument(help: "The directory to write.")
  var out: String

  @OptionGroup var options: SettingsOptions<ExportKeys>
  @OptionGroup var inputs: InputOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.run(inputs) { try ExportStep(options.settings()).run(ckpt, to: out, $0) }
  }
}

/// `synthesize`: seeded random checkpoints of any size, for tests.
struct Synthesize: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a checkpoint of seeded random weights in a source architecture's layout.",
    discussion: "--sparse writes headers and holes only: a checkpoint of any size in no space.")

  @Argument(help: ArgumentHelp("A config.json of a known architecture.", valueName: "config.json"))
  var config: String

  @Argument(help: "The directory to write.")
  var out: String

  @OptionGroup var options: SettingsOptions<SynthesizeKeys>
  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.run { try SynthesizeStep(options.settings()).run(config, to: out, $0) }
  }
}

/// `build`: a whole pipeline from one recipe.
struct BuildCommand: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    commandName: "build",
    abstract: "Runs the steps of a recipe: \(Steps.all.map { $0.name }.joined(separator: ", ")).",
    discussion: """
      Paths in the recipe are relative to the recipe's directory; --source and --output override \
      what it says.
      """)

  @Argument(help: ArgumentHelp("A YAML recipe.", valueName: "recipe"))
  var recipe: String

  @Option(help: ArgumentHelp("The source checkpoint.", valueName: "ckpt"))
  var source: String?

  @Option(
    name: .customLong("output"), help: ArgumentHelp("The directory to write.", valueName: "dir"))
  var out: String?

  @OptionGroup var inputs: InputOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.run(inputs) { context in
      var build = try Build(
        Recipe(path: recipe), file: recipe, source: source, output: out, context)
      return try build.run()
    }
  }
}

/// `pack`: a directory becomes one compressed file.
struct Pack: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Packs a directory into one compressed file, from which it comes back byte for byte.",
    discussion: """
      Weights are split into byte planes, of which only the predictable ones shrink. Frames and seek \
      table are those of the zstd seekable format; see formats/sbz. Directories without a file are \
      not kept.
      """)

  @Argument(help: "The directory to pack.")
  var dir: String

  @Argument(help: ArgumentHelp("The archive to write.", valueName: "file.sbz"))
  var file: String

  @Flag(help: "Print what would be packed, and write nothing.")
  var dryRun = false

  @Flag(help: "Replace an existing FILE.")
  var force = false

  @OptionGroup var limits: LimitOptions
  @OptionGroup var reporting: ReportOptions

  func run() throws {
    try reporting.chosen.run(limits, force: force, isDryRun: dryRun) {
      try PackStep.run(dir, to: file, $0)
    }
  }
}

/// `sign`: who stands for a checkpoint.
struct Sign: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Signs the manifest of a checkpoint, and with it every file: manifest.sig.",
    discussion: """
      Every file is compared with the manifest first. `verify --public-key` checks the signature, and so \
      does openssl; see formats/manifest. What is made from a signed checkpoint has to be signed anew.
      """)

  @Argument(help: "A directory that this program wrote.")
  var dir: String

  @Option(help: ArgumentHelp("A private Ed25519 key in PEM form.", valueName: "key.pem"))
  var key: String

  @Flag(help: "Replace an existing signature.")
  var force = false

  @OptionGroup var limits: LimitOptions
  @OptionGroup var reporting: ReportOptions

  func run() throws {
    try reporting.chosen.run(limits, force: force) { try SignStep.run(dir, key: key, $0) }
  }
}

/// `unpack`: the directory that `pack` packed, or one tensor of it.
struct Unpack: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Restores the directory in an archive, or one tensor without reading the rest.",
    discussion: """
      Every frame has a checksum and every file a SHA-256; damage is reported with the frame, \
      tensor and file it lies in. DIR appears only when everything was right. With --dry-run the \
      whole archive is read and checked, and nothing is written.
      """)

  @Argument(help: ArgumentHelp("The archive.", valueName: "file.sbz"))
  var file: String

  @Argument(help: "The directory to write.")
  var dir: String

  @Option(
    help: ArgumentHelp("Write only this tensor, to DIR/model.safetensors.", valueName: "name"))
  var tensor: String?

  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.run { try UnpackStep.run(file, tensor: tensor, to: dir, $0) }
  }
}
