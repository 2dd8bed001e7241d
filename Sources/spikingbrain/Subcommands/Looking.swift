import ArgumentParser
import ModelReport
import Pipeline
import StepSettings
import StrictJSON

/// `inspect`: what a checkpoint is and what can be done with it.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Format, architecture, layers, parameters and types of a checkpoint.")

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @OptionGroup var options: SettingsOptions<InspectKeys>
  @OptionGroup var checking: CheckOptions

  func run() throws {
    try checking.run { try InspectStep(options.settings()).run(ckpt, source: nil, $0) }
  }
}

/// `verify`: everything a bad checkpoint can hide.
struct Verify: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Checks structure, hashes, values and logits of a checkpoint; exit 1 names the fault.",
    discussion: """
      Levels are cumulative: structure, hashes, values, logits. With --source, copied tensors must \
      be the source's byte for byte and, run with every layer as window attention, the conversion \
      must compute what the source computes.
      """)

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @Option(help: ArgumentHelp("What it was converted from.", valueName: "ckpt"))
  var source: String?

  @OptionGroup var options: SettingsOptions<VerifyKeys>
  @OptionGroup var checking: CheckOptions

  func run() throws {
    try checking.run { try VerifyStep(options.settings()).run(ckpt, source: source, $0) }
  }
}

/// `generate`: runs a model, source or converted.
struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Continues a prompt.",
    discussion: "--temperature 0 (the default) is greedy; the same seed gives the same text.")

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @Flag(help: "Replace an existing FILE of --save-state that holds no state.")
  var force = false

  @OptionGroup var options: SettingsOptions<GenerateKeys>
  @OptionGroup var checking: CheckOptions

  func run() throws {
    let isText = !checking.reporting.json
    try checking.run(force: force) { context in
      var report = try GenerateStep(options.settings()).run(ckpt, context) { text in
        if isText { Terminal.continueText(text) }
        return !Terminal.isUnread
      }
      guard isText else { return report }
      Terminal.continueText("\n")
      if Terminal.isInteractive { context.listener(.note(report.text)) }
      report.text = ""
      return report
    }
  }
}

/// `logits`: what the model computes, as numbers.
struct Logits: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes f32 logits [T, V] of given tokens to a safetensors file.")

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @Flag(help: "Replace an existing FILE that this command did not write.")
  var force = false

  @OptionGroup var options: SettingsOptions<LogitsKeys>
  @OptionGroup var checking: CheckOptions

  func run() throws {
    try checking.run(force: force) {
      try LogitsStep(options.settings()).run(ckpt, source: nil, $0)
    }
  }
}

/// `tokenize`: text to ids, or back.
struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Reads text on standard input and prints its token ids as one JSON array.")

  @Argument(help: "The checkpoint whose tokenizer to use.")
  var ckpt: String

  @Flag(help: "Read a JSON array of ids and print the text.")
  var decode = false

  @Flag(help: "Leave out the special tokens that the tokenizer adds by itself (such as BOS).")
  var noSpecialTokens = false

  @OptionGroup var hub: HubOptions

  func run() throws {
    try Reporting().run(.none) { context in
      var context = context
      context.isOffline = hub.offline
      if decode {
        Terminal.continueText(try TokenizeStep.decode(ckpt, context))
      } else {
        Terminal.say(
          .ints(try TokenizeStep.encode(ckpt, addSpecialTokens: !noSpecialTokens, context)))
      }
      return nil
    }
  }
}

/// `evaluate`: perplexity of a text, alone or against a teacher, or the figures of tasks.
struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Perplexity of a text, by position, and the distance from a teacher; figures of tasks.",
    discussion: """
      The text is cut into segments of --context tokens, each read from an empty state; the first \
      token of a segment is not scored. With --task, files of lm-eval's own format say what is asked; \
      figures and errors are those that lm-eval gives for an export.
      """)

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @Option(
    help: ArgumentHelp("A checkpoint to compare with, usually the source.", valueName: "ckpt"))
  var teacher: String?

  @OptionGroup var options: SettingsOptions<EvaluateKeys>
  @OptionGroup var checking: CheckOptions

  func run() throws {
    try checking.run { try EvaluateStep(options.settings()).run(ckpt, source: teacher, $0) }
  }
}

/// `report`: what is known of a checkpoint, as a page with figures.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Spikes, healing, experts, energy and cost of a checkpoint as one HTML page.",
    discussion: """
      The directory gets report.html, which needs nothing beside it, and each figure as an SVG file. \
      What a section needs and does not find is named in it. With --no-timing, equal inputs give equal \
      bytes.
      """)

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @Option(help: ArgumentHelp("The directory to write.", valueName: "dir"))
  var output = "report"

  @Flag(help: "Replace an existing report.")
  var force = false

  @OptionGroup var options: SettingsOptions<ReportKeys>
  @OptionGroup var checking: CheckOptions

  func run() throws {
    try checking.run(force: force) {
      try ReportStep(options.settings()).run(ckpt, to: output, $0)
    }
  }
}

/// `bench`: speed of prefill and decoding.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures prefill and decoding speed; prints nothing when its own check fails.")

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @OptionGroup var options: SettingsOptions<BenchKeys>
  @Option(
    name: [.customLong("threads"), .customLong("jobs")], parsing: .unconditional,
    help: ArgumentHelp("Threads; default: all processors.", valueName: "n"))
  var threads: Int?
  @OptionGroup var inputs: InputOptions
  @OptionGroup var reporting: ReportOptions

  func run() throws {
    if let threads, threads < 1 {
      throw InputError.option("--threads", value: "\(threads)", expected: "1 or more")
    }
    var limits = LimitOptions.none
    limits.jobs = threads
    try reporting.chosen.run(limits, inputs) {
      try BenchStep(options.settings()).run(ckpt, source: nil, $0)
    }
  }
}

/// `diff`: how two checkpoints differ.
struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Compares two checkpoints: configuration, tensors, predictions; exit 1 when they differ.",
    discussion: """
      Tensors are compared as the model's own, so that A and B may be of different formats. Types may \
      differ where the numbers do not.
      """)

  @Argument(help: "The first checkpoint.")
  var a: String

  @Argument(help: "The second checkpoint.")
  var b: String

  @OptionGroup var options: SettingsOptions<DiffKeys>
  @OptionGroup var checking: CheckOptions

  func run() throws { try checking.run { try DiffStep(options.settings()).run(a, b, $0) } }
}
