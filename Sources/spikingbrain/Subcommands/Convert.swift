import Architectures
import ArgumentParser
import Checkpoints
import Communication
import Conversion
import Foundation
import ModelFiles
import Recipes
import StrictJSON
import TensorTypes

/// `convert`: a Transformer becomes a SpikingBrain checkpoint.
struct Convert: ParsableCommand, DistributedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Maps a Transformer checkpoint to SpikingBrain weights.",
    discussion: """
      Weights are copied byte for byte (or cast on request); the decay gates of linear layers are \
      new. OUT appears only when everything is written and synced.
      """)

  @Argument(help: "The source: a Llama, Qwen2, Qwen3 or Mistral checkpoint.")
  var ckpt: String

  @Argument(help: "The directory to write.")
  var out: String

  @OptionGroup var options: ConvertOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    try output.limits.apply()
    let runner = ConvertRunner(settings: try options.settings(), output: output)
    output.reporting.report(try runner.run(ckpt, to: out))
  }
}

/// Writes a planned checkpoint or only describes it, the same way for every subcommand that makes one.
struct PlanRunner {
  let output: OutputOptions

  /// Writes `plan` to the directory `out` unless this is a dry run; returns what to report. All
  /// processes call this with the same plan.
  ///
  /// - Parameter directory: that directory, when it was begun before.
  func run(
    _ plan: CheckpointPlan, from inputs: [String], to out: String,
    into directory: OutputDirectory? = nil
  ) throws -> Report {
    let executor = try CheckpointExecutor(
      plan, tool: .init(name: "spikingbrain", version: ProgramVersion.current),
      ranks: World.ranks)
    let summary = PlanSummary(plan: plan, files: executor.files)
    if output.dryRun { return summary.planned(out, force: output.force) }
    if output.resume, directory == nil,
      try World.ranks.first({ try executor.isComplete(at: out, inputs: inputs) })
    {
      return .alreadyComplete(out, summary.json)
    }
    let started = Date()
    let progress = Progress("writing \(out)", unit: .bytes, quiet: output.reporting.quiet)
    // Summed once: a plan of 76 B parameters has tens of thousands of tensors, and as many blocks.
    let bytes = plan.byteCount
    let show = { done in progress.update(done: done, total: bytes) }
    if let directory {
      try executor.write(to: directory, progress: show)
    } else {
      output.offerResume()
      try executor.run(
        to: out, mode: output.mode, inputs: inputs,
        progress: show)
    }
    progress.finish()
    let seconds = Date().timeIntervalSince(started)
    for note in plan.notes { output.reporting.note("note: \(note)") }
    var json = summary.json
    json["output"] = .string(out)
    json["seconds"] = .double(seconds)
    let speed = ByteSize(Int(Double(bytes) / max(seconds, 1e-3)))
    let ranking = plan.rankingText.map { $0 + "\n" } ?? ""
    return Report(
      json: .object(json),
      text: ranking + "wrote \(out): \(counted(plan.tensors.count, "tensor")), "
        + "\(ByteSize(bytes)) in \(counted(executor.files.count, "file")), \(duration(seconds)) (\(speed)/s)"
    )
  }
}

/// What a plan will write.
struct PlanSummary {
  let plan: CheckpointPlan
  let files: [(name: String, bytes: Int)]

  /// The parts that published parameter counts are about.
  private static let matrices: Set<String> = ["feed-forward", "embeddings", "attention"]

  private var parts: [(name: String, count: Int)] { plan.description.parameterParts }

  var json: JSONObject {
    var json = JSONObject([
      ("layout", .string(plan.description.modelType)),
      ("parameters", .int(plan.description.parameterCount)),
      ("active_parameters", .int(plan.description.activeParameterCount)),
      ("parts", .object(JSONObject(parts.map { ($0.name, .int($0.count)) }))),
      ("bytes", .int(plan.byteCount)),
      ("layers", .array(plan.description.layers.map { .string($0.mixer.text) })),
      ("feed_forward", .array(plan.description.layers.map { .string($0.feedForward.text) })),
      ("files", .array(files.map { ["name": .string($0.name), "bytes": .int($0.bytes)] })),
      ("notes", .array(plan.notes.map { .string($0) })),
    ])
    if let selection = plan.recipe["selection"] { json["selection"] = selection }
    return json
  }

  /// What a dry run reports of writing it to the directory `out`.
  func planned(_ out: String, force: Bool) -> Report {
    let exists = FileManager.default.fileExists(atPath: out)
    var json = json
    json["output"] = .string(out)
    if exists { json["output_exists"] = true }
    let state =
      !exists ? "" : force ? " (exists, would be replaced)" : " (exists: --force replaces it)"
    return Report(json: .object(json), text: "would write \(out)\(state)\n" + text)
  }

  var text: String {
    var table = Table()
    let kinds = Dictionary(grouping: plan.description.layers, by: \.mixer.text).mapValues(\.count)
    table.add("layout", plan.description.modelType)
    table.add(
      "layers",
      kinds.sorted { $0.key < $1.key }.map { "\($0.value) x \($0.key)" }.joined(separator: ", "))
    let ffns = Dictionary(grouping: plan.description.layers, by: \.feedForward.text)
    if ffns.count > 1 || ffns["dense"] == nil {
      table.add(
        "feed-forward",
        ffns.sorted { $0.key < $1.key }.map { "\($0.value.count) x \($0.key)" }
          .joined(separator: ", "))
    }
    if let spiking = plan.description.spiking { table.add("spiking", spiking.text) }
    if let scales = plan.description.int8Weights { table.add("weights", "INT8, \(scales.text)") }
    table.add("parameters", "\(plan.description.parameterCount)")
    for (name, count) in parts { table.add("", "\(count) \(name)") }
    let matrices = parts.filter { Self.matrices.contains($0.name) }.reduce(0) { $0 + $1.count }
    table.add("", "\(matrices) in feed-forward, embeddings and attention together")
    table.add("active", "\(plan.description.activeParameterCount) per token")
    table.add("tensors", "\(plan.tensors.count), \(ByteSize(plan.byteCount))")
    let copied = plan.tensors.filter { !$0.transform.sources.isEmpty }
    table.add("from source", counted(copied.count, "tensor"))
    table.add("new", counted(plan.tensors.count - copied.count, "tensor"))
    for (name, bytes) in files { table.add("file", "\(name)  \(ByteSize(bytes))") }
    if !plan.companions.isEmpty {
      table.add(
        plan.format.areComplete ? "inside" : "beside it",
        plan.companions.map(\.name).joined(separator: ", "))
    }
    for note in plan.notes { table.add("note", note) }
    if let ranking = plan.rankingText { return table.text + "\n\n" + ranking }
    return table.text
  }
}

extension ModelFile {
  /// Every file that reading this checkpoint may touch.
  var inputs: [String] { [path] + reader.files }
}
