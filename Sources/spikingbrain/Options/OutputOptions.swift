import ArgumentParser
import Checkpoints
import TensorTypes

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

  /// How what is already there is treated.
  var mode: OutputDirectory.Mode { .init(resume: resume, force: force) }

  func validate() throws {
    if resume && force {
      throw ValidationError("--resume keeps what --force removes; give one of them.")
    }
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

  func validate() throws {
    if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1.") }
  }

  @Sendable static func size(_ text: String) throws -> ByteSize {
    guard let size = ByteSize(parsing: text) else {
      throw ValidationError("\"\(text)\" is not a size like 512MiB or 5GB.")
    }
    return size
  }
}
