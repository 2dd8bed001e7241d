import Architectures
import Checkpoints
import Conversion
import Foundations
import Healing
import Quantization
import StepSettings
import Streams
import StrictJSON
import TensorTypes

/// Rounds the weights of a plan to integers before it is written, for `calibrate`.
struct WeightRoundingPass {
  let settings: QuantizationSettings
  let context: Context

  /// The plan with its projections as integers, and what was found.
  ///
  /// - Parameters:
  ///   - plan: a checkpoint in floating point, spiking settings included.
  ///   - samples: pieces of text as tokens.
  ///   - directory: an existing directory, which may hold an interrupted run of the same. All
  ///     processes are given the same one.
  func run(
    _ plan: CheckpointPlan, samples: [[Int]], in directory: String
  ) throws -> (plan: CheckpointPlan, record: WeightRoundingRecord) {
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
    let quantization = settings.quantization
    let record = WeightRoundingRecord(settings, reports.flatMap(\.projections))
    var quantised = try plan.quantised(tensors.views, as: quantization)
    quantised.recipe[quantization.codes.rawValue] = .object(try record.json)
    return (quantised, record)
  }
}

/// What was found while weights were rounded, as manifests record it.
struct WeightRoundingRecord: Codable {
  /// How they were rounded.
  var weights, rounding, scales, damping: String
  /// Bytes of codes and scales, and relative to the same weights in bfloat16.
  var bytes: Int
  var ofBFloat16: Double
  /// |x (W - Ŵ)ᵀ| / |x Wᵀ| by kind of projection, the mean over layers.
  var errors: [String: Double]
  /// The same for all ways that were compared, by their names.
  var compared: [String: [String: Double]]?
  /// Experts that were sent no token, and were rounded by the inputs of all.
  var idleExperts: [String]

  enum CodingKeys: String, CodingKey, CaseIterable {
    case weights, rounding, scales, damping, bytes
    case ofBFloat16 = "of_bfloat16"
    case errors = "relative_output_error"
    case compared
    case idleExperts = "idle_experts"
  }

  /// The kinds of projections, in the order of a layer.
  private static let kinds = [
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
  ]

  init(_ settings: QuantizationSettings, _ projections: [WeightQuantizer.ProjectionReport]) {
    weights = settings.quantization.codes.rawValue
    rounding = settings.rounding.rawValue
    scales = settings.quantization.granularity.text
    damping = "\(settings.damping)"
    bytes = projections.reduce(0) { $0 + $1.codeBytes + $1.scaleBytes }
    let count = projections.reduce(0) {
      $0 + $1.codeBytes * settings.quantization.codes.perElement
    }
    ofBFloat16 = recorded(Double(bytes) / Double(max(2 * count, 1)), places: 4)
    errors = Self.means(of: projections) { $0.error }
    let ways = projections.lazy.compactMap(\.compared).first?.keys.sorted()
    compared = ways.map { ways in
      Dictionary(
        uniqueKeysWithValues: ways.map { way in
          (way, Self.means(of: projections) { $0.compared?[way] })
        })
    }
    idleExperts = projections.filter(\.isIdle).map(\.name)
  }

  /// The mean of `value` over the projections of each kind: of all `layers.3.q_proj`.
  private static func means(
    of projections: [WeightQuantizer.ProjectionReport],
    _ value: (WeightQuantizer.ProjectionReport) -> Double?
  ) -> [String: Double] {
    Dictionary(grouping: projections) { String($0.name.split(separator: ".").last ?? "") }
      .compactMapValues { projections in
        let values = projections.compactMap(value)
        return values.isEmpty
          ? nil : recorded(values.reduce(0, +) / Double(values.count), places: 7)
      }
  }

  /// As manifests record it and `--json` prints it.
  var json: JSONObject {
    get throws {
      try JSONObject(
        recording: self, order: CodingKeys.allCases.map(\.rawValue) + Self.kinds)
    }
  }

  /// For people.
  var text: String {
    let kinds = Self.kinds.filter { errors[$0] != nil }
    var table = Table()
    table.add(["relative output error"] + kinds)
    func row(_ name: String, _ errors: [String: Double]) {
      table.add([name] + kinds.map { errors[$0].map { "\(fixed(100 * $0, 3))%" } ?? "-" })
    }
    let written = "\(scales) \(rounding)"
    row("\(written) (written)", errors)
    for (way, errors) in (compared ?? [:]).sorted(by: { $0.key < $1.key }) where way != written {
      row(way, errors)
    }
    var text =
      "\(weights.uppercased()) weights: \(ByteSize(bytes)), \(fixed(ofBFloat16, 3)) "
      + "of their bfloat16 bytes\n" + table.text
    if !idleExperts.isEmpty {
      text +=
        "\nsent no token, rounded by their layer's inputs: "
        + idleExperts.joined(separator: ", ")
    }
    return text
  }
}
