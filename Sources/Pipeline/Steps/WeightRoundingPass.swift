import Architectures
import Conversion
import Foundations
import Healing
import Quantization
import StepSettings
import Streams
import StrictJSON
import TensorTypes

/// Rounds the weights of a plan to INT8 before it is written, for `calibrate`.
struct WeightRoundingPass {
  let settings: QuantizationSettings
  let context: Context

  /// The plan with its projections in INT8, and what was found.
  ///
  /// - Parameters:
  ///   - plan: a checkpoint in floating point, spiking settings included.
  ///   - samples: pieces of text as tokens.
  ///   - directory: an existing directory, which may hold an interrupted run of the same. All
  ///     processes are given the same one.
  func run(
    _ plan: CheckpointPlan, samples: [[Int]], in directory: String
  ) throws -> (plan: CheckpointPlan, summary: QuantizationSummary) {
    let quantizer = try WeightQuantizer(
      model: plan.description, weights: PlannedWeights(plan), samples: samples,
      settings: settings, directory: directory)
    if let limit = context.limits.memory, quantizer.momentBytes > limit.bytes {
      throw QuantizationError.memory(needed: ByteSize(quantizer.momentBytes), limit: limit)
    }
    let depth = plan.description.layers.count
    let (tensors, reports) = try context.layerByLayer(
      "rounding weights", of: plan.description, finished: quantizer.finishedReports
    ) { show, report in
      try quantizer.run(
        progress: { layer, share in
          show((Double(layer) + share) / Double(depth), "layer \(layer) of \(depth)")
        }, report: report)
    }
    let summary = QuantizationSummary(settings: settings, layers: reports)
    var quantised = try plan.quantised(tensors.views, granularity: settings.granularity)
    quantised.recipe["int8"] = .object(summary.json)
    return (quantised, summary)
  }
}

/// What was found while weights were rounded.
struct QuantizationSummary {
  let settings: QuantizationSettings
  let layers: [WeightQuantizer.LayerReport]

  private var projections: [WeightQuantizer.ProjectionReport] { layers.flatMap(\.projections) }
  private var codeBytes: Int { projections.reduce(0) { $0 + $1.codeBytes } }
  private var bytes: Int { projections.reduce(codeBytes) { $0 + $1.scaleBytes } }
  private var idle: [String] { projections.filter(\.isIdle).map(\.name) }

  /// `q_proj` of `layers.3.q_proj`.
  private static func kind(_ name: String) -> String {
    String(name.split(separator: ".").last ?? "")
  }

  /// Names of projections in order, each once.
  private var kinds: [String] {
    var kinds: [String] = []
    for projection in projections where !kinds.contains(Self.kind(projection.name)) {
      kinds.append(Self.kind(projection.name))
    }
    return kinds
  }

  private func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  /// Mean error of the projections called `kind`.
  private func error(_ kind: String) -> Double? {
    mean(projections.filter { Self.kind($0.name) == kind }.compactMap(\.error))
  }

  /// The same for one of the ways that were compared.
  private func compared(_ kind: String, _ way: String) -> Double? {
    mean(projections.filter { Self.kind($0.name) == kind }.compactMap { $0.compared?[way] })
  }

  /// As manifests record it and `--json` prints it.
  var json: JSONObject {
    var object = JSONObject(strings: settings.fields)
    object["bytes"] = .int(bytes)
    object["of_bfloat16"] = .number(fixed(Double(bytes) / Double(max(2 * codeBytes, 1)), 4))
    object["relative_output_error"] = .object(
      JSONObject(kinds.compactMap { kind in error(kind).map { (kind, .rounded($0)) } }))
    if settings.comparing {
      object["compared"] = .object(
        JSONObject(
          ways.map { way in
            (
              way,
              .object(
                JSONObject(
                  kinds.compactMap { kind in compared(kind, way).map { (kind, .rounded($0)) } }))
            )
          }))
    }
    object["idle_experts"] = .array(idle.map { .string($0) })
    return object
  }

  private var ways: [String] {
    projections.lazy.compactMap(\.compared).first?.keys.sorted() ?? []
  }

  /// For people.
  var text: String {
    var table = Table()
    table.add(["relative output error"] + kinds)
    func row(_ name: String, _ error: (String) -> Double?) {
      table.add([name] + kinds.map { error($0).map { "\(fixed(100 * $0, 3))%" } ?? "-" })
    }
    let written = "\(settings.granularity.text) \(settings.rounding.rawValue)"
    row("\(written) (written)", error)
    for way in ways where way != written { row(way) { compared($0, way) } }
    var text =
      "INT8 weights: \(ByteSize(bytes)), \(fixed(Double(bytes) / Double(max(2 * codeBytes, 1)), 3)) "
      + "of their bfloat16 bytes\n" + table.text
    if !idle.isEmpty {
      text += "\nsent no token, rounded by their layer's inputs: \(idle.joined(separator: ", "))"
    }
    return text
  }
}
