import Architectures
public import ArgumentParser
import Checkpoints
import Conversion
import Foundation
import Healing
import Kernels
import ModelFiles
public import Recipes
import StrictJSON
import TensorTypes
import Tokenization

/// `heal`: refits the linear layers of a conversion against its source.
struct Heal: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Refits converted linear layers against the source model, on a CPU.",
    discussion: """
      Layer by layer, each linear layer is fitted to give the source's attention output on a \
      calibration text: in closed form, by gradients, and in closed form again. Use other text for \
      evaluation than for healing.
      """)

  @Argument(help: "The converted checkpoint.")
  var ckpt: String

  @Option(help: ArgumentHelp("The source it was converted from.", valueName: "ckpt"))
  var teacher: String

  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Calibration texts.", valueName: "file"))
  var text: [String]

  @Option(
    name: .customLong("output"), help: ArgumentHelp("The directory to write.", valueName: "dir"))
  var out: String

  @Option(help: "Tokens of the texts to use.")
  var tokens = HealSettings().tokens

  @Option(help: "Tokens per segment.")
  var context = HealSettings().context

  @Option(help: "ridge, gradient or both.")
  var method = HealSettings().method

  @Option(help: "Gradient steps per layer.")
  var steps = HealSettings().steps

  @Option(help: "Segments per gradient step.")
  var batch = HealSettings().batch

  @Option(help: "Peak learning rate of the projections.")
  var learningRate = HealSettings().learningRate

  @Option(help: "Where the biases of the decay gates start.")
  var gateBias = HealSettings().gateBias

  @Option(help: "Weight of the first token, which carries the attention sink.")
  var sinkWeight = HealSettings().sinkWeight

  @Option(help: ArgumentHelp("Most minutes to spend.", valueName: "minutes"))
  var timeLimit: Double?

  @Option(help: "Seed of the batches.")
  var seed: UInt64 = 0

  @OptionGroup var output: OutputOptions

  func run() throws {
    var settings = HealSettings()
    settings.text = text
    settings.tokens = tokens
    settings.context = context
    settings.method = method
    settings.steps = steps
    settings.batch = batch
    settings.learningRate = learningRate
    settings.gateBias = gateBias
    settings.sinkWeight = sinkWeight
    settings.timeLimit = timeLimit
    settings.seed = seed
    try HealRunner(settings: settings, output: output).run(ckpt, teacher: teacher, to: out)
  }
}

extension HealSettings.Method: ExpressibleByArgument {}

/// Heals a checkpoint and writes the result, for `heal` and for recipes.
struct HealRunner {
  let settings: HealSettings
  let output: OutputOptions

  func run(_ path: String, teacher: String, to out: String) throws {
    try output.limits.apply()
    let file = try ModelFile.open(path), source = try ModelFile.open(teacher)
    try file.requireSound()
    try source.requireSound()
    guard file.description.layers.contains(where: { !$0.mixer.isSoftmax }) else {
      throw HealingError.nothingToHeal(path: path)
    }
    let tokenizer = try file.tokenizer.load()
    var tokens: [Int] = []
    for text in settings.text where tokens.count < settings.tokens {
      tokens += tokenizer.encode(bytes: try InputError.text(at: text))
    }
    let work = out + ".healing"
    if output.force { try? FileManager.default.removeItem(atPath: work) }
    try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
    let healer = try Healer(
      model: file.description, weights: file, teacher: source.description, teacherWeights: source,
      tokens: tokens, settings: settings, directory: work)
    let started = Date()
    var reports: [Healer.LayerReport] = []
    let progress = Progress("healing", quiet: output.reporting.quiet)
    let depth = file.description.layers.count
    let healed = try healer.run { layer, share, error in
      progress.update(
        done: Int((Double(layer) + share) * 1000), total: depth * 1000
      ) { "layer \($0 / 1000), error \(fixed(error, 3))" }
    } report: { report in
      progress.finish()
      reports.append(report)
      output.reporting.note(report.line)
    }
    let seconds = Date().timeIntervalSince(started)
    let plan = try ReplacementPlan.make(
      from: file, replacing: healed.views, summary: "healed",
      recipe: JSONObject([
        ("step", "heal"), ("tokens", .int(min(tokens.count, settings.tokens))),
      ]), shardSize: ByteSize(5_000_000_000), notes: [],
      reports: [])
    output.reporting.note("healed in \(duration(seconds))")
    try PlanRunner(output: output).run(plan, from: file.inputs, to: out)
    try? FileManager.default.removeItem(atPath: work)
  }
}

extension Healer.LayerReport {
  /// One line for people.
  var line: String {
    var text = "layer \(layer): "
    if let before, let afterRidge, let after {
      text += "error \(fixed(before, 3)) -> \(fixed(afterRidge, 3)) -> \(fixed(after, 3)), "
    }
    return text + "drift \(fixed(drift, 4)), sink \(fixed(sink, 3)), \(duration(seconds))"
  }
}
