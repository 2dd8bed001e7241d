import Architectures
import Conversion
import Foundation
import Foundations
import Mixers
import StrictJSON
import TensorTypes

/// What a plan will write.
struct PlanSummary {
  let plan: CheckpointPlan
  let files: [(name: String, bytes: Int)]

  init(_ plan: CheckpointPlan, _ files: [(name: String, bytes: Int)]) {
    self.plan = plan
    self.files = files
  }

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
    json[LayerSelectionRecord.key] = plan.recipe[LayerSelectionRecord.key]
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
    return Report(json: json, text: "would write \(out)\(state)\n" + text)
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
    if let weights = plan.description.quantization { table.add("weights", weights.text) }
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
    let selection = LayerSelectionRecord(recorded: .object(plan.recipe))
    return [table.text, selection?.text].compactMap(\.self).joined(separator: "\n\n")
  }
}
