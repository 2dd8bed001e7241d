import ArgumentParser
import Checkpoints
import Foundations
import Pipeline
import StrictJSON

/// Options of every subcommand that reports something.
struct ReportOptions: ParsableArguments {
  @Flag(help: "Print one JSON object on standard output, and nothing else there.")
  var json = false

  @Flag(help: "No progress and no notes on standard error.")
  var quiet = false
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

/// Options of every subcommand that reads a checkpoint.
struct HubOptions: ParsableArguments {
  @Flag(help: "Fetch nothing: models of the Hub (hf:ORG/NAME) come from its cache alone.")
  var offline = false
}

/// Options of every subcommand that looks at a checkpoint.
struct CheckOptions: ParsableArguments {
  @OptionGroup var limits: LimitOptions
  @OptionGroup var hub: HubOptions
  @OptionGroup var reporting: ReportOptions

  /// Runs `body` and prints what it reports.
  func run(force: Bool = false, _ body: (Context) throws -> Report?) throws {
    try reporting.run(limits, hub, force: force, body)
  }
}

/// Options of every subcommand that writes a checkpoint.
struct OutputOptions: ParsableArguments {
  @OptionGroup var limits: LimitOptions
  @OptionGroup var hub: HubOptions
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

  /// Runs `body` and prints what it reports.
  func run(_ body: (Context) throws -> Report) throws {
    try reporting.run(limits, hub, resume: resume, force: force, isDryRun: dryRun, body)
  }
}

extension ReportOptions {
  /// Runs `body` in a context of these options, prints what it reports, and ends with exit code 1
  /// when something it checked is wrong.
  func run(
    _ limits: LimitOptions, _ hub: HubOptions? = nil, resume: Bool = false, force: Bool = false,
    isDryRun: Bool = false, _ body: (Context) throws -> Report?
  ) throws {
    var context = Context()
    context.limits = Limits(memory: limits.maxRam, threads: limits.jobs)
    context.mode = OutputDirectory.Mode(resume: resume, force: force)
    context.isDryRun = isDryRun
    context.isOffline = hub?.offline ?? false
    context.ranks = World.ranks
    let renderer = Renderer(json: json, quiet: quiet)
    context.listener = renderer.show
    let report = try body(context)
    renderer.finish()
    // What has said everything already returns none.
    guard let report else { return }
    if json {
      Terminal.say(.object(report.json))
    } else if !report.text.isEmpty {
      Terminal.say(report.text)
    }
    if !report.passed { throw ExitCode(1) }
  }
}
