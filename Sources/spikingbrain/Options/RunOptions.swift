import ArgumentParser
import Checkpoints
import Communication
import Foundations
import Pipeline
import StrictJSON

/// Options of every subcommand that reports something.
struct ReportOptions: ParsableArguments {
  @Flag(help: "Print one JSON object on standard output, and nothing else there.")
  var json = false

  @Flag(help: "No progress and no notes on standard error: --log-level error.")
  var quiet = false

  @Option(
    help: ArgumentHelp(
      "What standard error is told: error, note or progress. Without a terminal, progress is a line every 30 s.",
      valueName: "level"))
  var logLevel: LogLevel?

  @Option(
    help: ArgumentHelp(
      "text, or json: one object a line on standard error.", valueName: "format"))
  var logFormat = LogFormat.text

  @Option(
    help: ArgumentHelp(
      "Write what the run took to this file: time, memory, bytes, machine, report.",
      valueName: "file"))
  var runJson: String?

  func validate() throws {
    if quiet, let logLevel, logLevel != .error {
      throw ValidationError("--quiet is --log-level error; give one of them.")
    }
  }

  /// How the run is reported.
  var chosen: Reporting {
    Reporting(
      json: json, level: logLevel ?? (quiet ? .error : .progress), format: logFormat,
      record: runJson)
  }
}

/// Options of every subcommand that reads a checkpoint.
struct InputOptions: ParsableArguments {
  @Option(
    name: .customLong("ignore-tensors"),
    help: ArgumentHelp(
      "Leave out tensors that the model has no place for: names with * and ?, separated by commas.",
      valueName: "pattern"))
  private var patterns: [String] = []

  @OptionGroup var hub: HubOptions

  /// The patterns, one by one.
  var ignoredTensors: [String] { patterns.flatMap(Self.split) }

  func validate() throws {
    if ignoredTensors.contains(where: \.isEmpty) {
      throw ValidationError("--ignore-tensors has an empty pattern.")
    }
  }

  private static func split(_ list: String) -> [String] {
    list.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
  }
}

/// Bounds on what a run may use.
struct LimitOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Most resident memory, mapped file pages included, e.g. 512MiB; at least 256MiB.",
      valueName: "size"),
    transform: size)
  var maxRam: ByteSize?

  @Option(help: ArgumentHelp("Threads; default: all processors.", valueName: "n"))
  var jobs: Int?

  /// No bounds, for subcommands that have no such options.
  static var none: LimitOptions {
    var limits = LimitOptions()
    limits.maxRam = nil
    limits.jobs = nil
    return limits
  }

  func validate() throws {
    if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1.") }
  }

  @Sendable private static func size(_ text: String) throws -> ByteSize {
    guard let size = ByteSize(parsing: text) else {
      throw ValidationError("\"\(text)\" is not a size like 512MiB or 5GB.")
    }
    return size
  }
}

/// Options of every subcommand that takes a model of the Hub.
struct HubOptions: ParsableArguments {
  @Flag(help: "Fetch nothing: models of the Hub (hf:ORG/NAME) come from its cache alone.")
  var offline = false
}

/// Options of every subcommand that looks at a checkpoint.
struct CheckOptions: ParsableArguments {
  @OptionGroup var inputs: InputOptions
  @OptionGroup var limits: LimitOptions
  @OptionGroup var reporting: ReportOptions

  /// Runs `body` and prints what it reports.
  func run(force: Bool = false, _ body: (Context) throws -> Report?) throws {
    try reporting.chosen.run(limits, inputs, force: force, body)
  }
}

/// Options of every subcommand that writes a checkpoint.
struct OutputOptions: ParsableArguments {
  @OptionGroup var limits: LimitOptions
  @OptionGroup var reporting: ReportOptions

  @Flag(help: "Print what would be written, and write nothing.")
  var dryRun = false

  @Flag(help: "Finish the interrupted run that left OUT.partial.")
  var resume = false

  @Flag(help: "Replace an existing OUT; remove an OUT.partial that was left behind.")
  var force = false

  func validate() throws {
    if resume && force {
      throw ValidationError("--resume keeps what --force removes; give one of them.")
    }
  }

  /// Runs `body`, which reads what `inputs` are about, and prints what it reports.
  func run(_ inputs: InputOptions? = nil, _ body: (Context) throws -> Report) throws {
    try reporting.chosen.run(
      limits, inputs, resume: resume, force: force, isDryRun: dryRun, body)
  }
}

/// How a run is reported.
struct Reporting {
  /// Whether the result is printed as JSON.
  var json = false
  var level = LogLevel.progress
  var format = LogFormat.text
  /// Where what the run took is written to.
  var record: String?

  /// Runs `body` in a context of these options, prints what it reports, and ends with exit code 1
  /// when something it checked is wrong.
  func run(
    _ limits: LimitOptions, _ inputs: InputOptions? = nil, resume: Bool = false,
    force: Bool = false, isDryRun: Bool = false, _ body: (Context) throws -> Report?
  ) throws {
    Terminal.isStructured = format == .json
    var context = Context()
    context.limits = Limits(memory: limits.maxRam, threads: limits.jobs)
    context.mode = OutputDirectory.Mode(resume: resume, force: force)
    context.isDryRun = isDryRun
    context.ignoredTensors = inputs?.ignoredTensors ?? []
    context.isOffline = inputs?.hub.offline ?? false
    context.ranks = World.ranks
    let renderer = Renderer(json: json, level: level)
    context.listener = renderer.show
    // The first process speaks for all.
    let record =
      try context.ranks.isFirst
      ? record.map {
        try RunRecord(path: $0, command: CommandLine.arguments, force: force || resume)
      } : nil
    let report: Report?
    do {
      report = try body(context)
    } catch {
      try record?.finish(.failure(error), exitCode: (error as? any ReportableError)?.exitCode ?? 2)
      throw error
    }
    renderer.finish()
    let passed = report?.passed ?? true
    try record?.finish(.success(report), exitCode: passed ? 0 : 1)
    // What has said everything already returns none.
    guard let report else { return }
    if json {
      Terminal.say(.object(report.json))
    } else if !report.text.isEmpty {
      Terminal.say(report.text)
    }
    if !passed { throw ExitCode(1) }
  }
}
