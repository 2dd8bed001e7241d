import ArgumentParser
import Checkpoints
import Communication
import Conversion
import StrictJSON
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

  /// Begins the directory `out`, the result of a step that reads a text.
  func begin(_ out: String, _ fingerprint: StepFingerprint) throws -> OutputDirectory {
    offerResume()
    return try OutputDirectory.begin(
      out, fingerprint: fingerprint.journal, mode: mode, inputs: fingerprint.inputs,
      ranks: World.ranks)
  }

  /// What to report when the run is a resumed one and `out` is the step's result already; nil
  /// otherwise.
  func finished(_ out: String, _ fingerprint: StepFingerprint) throws -> Report? {
    guard resume, !dryRun else { return nil }
    let isComplete = try World.ranks.first {
      try OutputDirectory.isComplete(out, inputs: fingerprint.files) {
        $0.recipe["fingerprint"] == fingerprint.json
      }
    }
    return isComplete ? .alreadyComplete(out) : nil
  }

  /// Says how to go on when the run is ended by a signal from now on.
  func offerResume() {
    guard World.speaks else { return }
    Interruption.say("\ninterrupted: the same command with --resume goes on from here\n")
  }
}

extension Report {
  /// What every command says that finds its output finished.
  static func alreadyComplete(_ out: String, _ json: JSONObject = JSONObject()) -> Report {
    var json = json
    json["output"] = .string(out)
    return Report(json: .object(json), text: "\(out) is already complete", wasComplete: true)
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
