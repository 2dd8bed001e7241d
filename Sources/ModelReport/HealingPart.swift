import Architectures
import Checkpoints
import Foundations
import Healing
import Pipeline
import Reporting
import StrictJSON

extension ReportSubject {
  /// How far healing brought each layer, healing by healing; refits of experts too.
  var healingPart: ReportPart {
    let title = "Healing"
    let stages = steps.compactMap { step in
      switch step.name {
      case .heal: HealingStage(healing: step.json, settings: step.settings ?? [])
      case .upcycle: step.json["fit"].flatMap(HealingStage.init(experts:))
      default: nil
      }
    }
    guard !stages.isEmpty else {
      return .absent(
        "healing", title,
        """
        No healing recorded: <code>spikingbrain heal CKPT --teacher SRC --text FILE --output OUT\
        </code> fits a conversion to its source and records how far each layer came.
        """)
    }
    let blocks = stages.enumerated().flatMap { index, stage in
      stage.blocks(number: index + 1, depth: model.layers.count)
    }
    return ReportPart(
      section: Section("healing", title, blocks), json: .array(stages.map { .object($0.json) }))
  }
}

/// One healing, or one refit of experts, as a manifest records it.
private struct HealingStage {
  /// What is drawn of a layer.
  private struct Layer {
    var number: Int
    var before: Double?
    var closedForm: Double?
    var after: Double?
    var drift: Double?
    var sink: Double?
  }

  private let layers: [Layer]
  private let record: JSONValue
  private let settings: [(key: String, value: String)]
  /// Steps of the second stage, the divergence before and after, and whether its result was kept.
  private let second: (steps: Int?, before: Double, after: Double, kept: Bool)?
  private let isOfExperts: Bool

  /// The healing in the record of a step; nil when nothing was healed.
  init?(healing record: JSONValue, settings: [(key: String, value: String)]) {
    guard let found = record.record(HealRecord.self) else { return nil }
    (self.record, self.settings, isOfExperts) = (record, settings, false)
    layers = found.layers.map {
      Layer(
        number: $0.layer, before: $0.before, closedForm: $0.afterRidge, after: $0.after,
        drift: $0.drift, sink: $0.sink)
    }
    second = found.distillation.map { ($0.steps, $0.before, $0.after, $0.kept) }
    if layers.isEmpty, second == nil { return nil }
  }

  /// The refit of experts that an `upcycle` step recorded; nil when there was none.
  init?(experts record: JSONValue) {
    guard let found = record.record(ExpertFitRecord.self) else { return nil }
    (self.record, settings, isOfExperts) = (record, [], true)
    layers = found.layers.map {
      Layer(
        number: $0.layer, before: $0.before, after: $0.after, drift: $0.drift, sink: $0.sink)
    }
    // A refit records its divergence beside the layers.
    second = found.before.flatMap { before in
      found.after.map { (nil, before, $0, found.kept ?? ($0 < before)) }
    }
    if layers.isEmpty, second == nil { return nil }
  }

  private var name: String { isOfExperts ? "Refit of experts" : "Healing" }

  var json: JSONObject {
    var object = JSONObject([
      ("kind", .string(isOfExperts ? "experts" : "heal")),
      ("layers", record["layers"] ?? .array([])),
    ])
    if let second {
      object["kl_before"] = .double(second.before)
      object["kl_after"] = .double(second.after)
      object["kept"] = .bool(second.kept)
    }
    return object
  }

  func blocks(number: Int, depth: Int) -> [Section.Block] {
    let wanted = ["method", "steps", "tokens", "context", "distill-steps", "distill-scope"]
    let chosen = settings.filter { wanted.contains($0.key) }
    var blocks: [Section.Block] = [
      .text(
        """
        <b>\(number). \(name)</b>\(chosen.isEmpty ? "" : ": ")\
        \(chosen.map { "\($0.key) \($0.value)" }.joined(separator: ", ")).
        """)
    ]
    if let second {
      let steps = second.steps.map { "\($0) steps of the second stage" } ?? "the refit"
      blocks.append(
        .text(
          """
          Held-out divergence from the source before and after \(steps): \
          \(fixed(second.before, 4)) → \(fixed(second.after, 4)) nats\
          \(second.kept ? "" : ", not better and so left out").
          """))
    }
    let errors = series([("before", \.before), ("closed form", \.closedForm), ("after", \.after)])
    if !errors.isEmpty {
      blocks.append(
        figure(
          "error-\(number)", errors, label: "held-out error", scale: .logarithmic, depth: depth,
          caption: """
            Squared error of what a layer adds to the stream, on held-out tokens, relative to what it \
            should add; logarithmic.
            """))
    }
    let distances = series([("drift", \.drift), ("attention sink", \.sink)])
    if !distances.isEmpty {
      blocks.append(
        figure(
          "drift-\(number)", distances, label: "relative to the source", scale: .linear,
          depth: depth,
          caption: """
            Drift: median over tokens of |source − model| / |source| of the stream leaving the layer. \
            Attention sink: the norm of the first token there relative to the source's; it lives \
            while this is near 1.
            """))
    }
    return blocks
  }

  private func series(_ fields: [(name: String, path: KeyPath<Layer, Double?>)]) -> [Series] {
    fields.enumerated().compactMap { index, field in
      let points = layers.compactMap { layer in
        layer[keyPath: field.path].map { Series.Point(Double(layer.number), $0) }
      }
      return points.isEmpty ? nil : Series(field.name, points, color: [1, 4, 0][index])
    }
  }

  private func figure(
    _ name: String, _ series: [Series], label: String, scale: Axis.Scale, depth: Int,
    caption: Markup
  ) -> Section.Block {
    let values = series.flatMap(\.points).map(\.y) + (scale == .linear ? [0] : [])
    let chart = Chart(
      "\(self.name): \(label) by layer", x: .layers(depth),
      y: Axis(label, covering: values, scale: scale), series)
    return .figure(Figure(name, chart.drawing, caption: caption))
  }
}
