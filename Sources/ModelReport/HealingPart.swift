import Architectures
import Pipeline
import Reporting
import StrictJSON
import TensorTypes

extension ReportSubject {
  /// How far healing brought each layer, healing by healing; refits of experts too.
  var healingPart: ReportPart {
    let title = "Healing"
    let stages = history.steps.flatMap { step -> [HealingStage] in
      switch step.name {
      case "heal":
        return [HealingStage(step.record, settings: step.settings)].compactMap(\.self)
      case "upcycle":
        return [step.record["fit"].flatMap { HealingStage($0, settings: []) }].compactMap(\.self)
      default: return []
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

/// One healing, as a manifest records it.
private struct HealingStage {
  /// Fields of layers that are drawn, with what they are called.
  private static let errors = [
    ("error_before", "before"), ("error_after_ridge", "closed form"), ("error_after", "after"),
  ]
  private static let distances = [("drift", "drift"), ("sink", "attention sink")]

  /// What was recorded of each layer.
  private let layers: [(layer: Int, values: JSONValue)]
  private let settings: [(key: String, value: String)]
  /// Steps of the second stage, the divergence before and after, and whether its result was kept.
  private let second: (steps: Int?, before: Double, after: Double, kept: Bool)?
  private let isOfExperts: Bool

  /// The healing in `record`; nil when nothing was healed.
  init?(_ record: JSONValue, settings: [(key: String, value: String)]) {
    self.settings = settings
    isOfExperts = settings.isEmpty
    layers = (record["layers"]?.array ?? []).compactMap { entry in
      entry["layer"]?.int.map { ($0, entry) }
    }
    // A refit of experts records its divergence beside the layers.
    let stage = isOfExperts ? record : record["distillation"]
    if let before = stage?["kl_before"]?.double, let after = stage?["kl_after"]?.double {
      second = (stage?["steps"]?.int, before, after, stage?["kept"]?.bool ?? (after < before))
    } else {
      second = nil
    }
    if layers.isEmpty, second == nil { return nil }
  }

  private var name: String { isOfExperts ? "Refit of experts" : "Healing" }

  var json: JSONObject {
    var object = JSONObject([
      ("kind", .string(isOfExperts ? "experts" : "heal")),
      ("layers", .array(layers.map(\.values))),
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
    let errors = series(Self.errors)
    if !errors.isEmpty {
      blocks.append(
        figure(
          "error-\(number)", errors, label: "held-out error", scale: .logarithmic, depth: depth,
          caption: """
            Squared error of what a layer adds to the stream, on held-out tokens, relative to what it \
            should add; logarithmic.
            """))
    }
    let distances = series(Self.distances)
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

  private func series(_ fields: [(key: String, name: String)]) -> [Series] {
    fields.enumerated().compactMap { index, field in
      let points = layers.compactMap { layer, values in
        values[field.key]?.double.map { Series.Point(Double(layer), $0) }
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
