import Architectures
import Conversion
import Foundations
import Healing
import ModelFiles
import StepSettings
import StrictJSON

/// The layers that `auto:N` leaves to a measurement.
struct LayerChoice {
  let settings: ConvertSettings
  /// The text to measure on.
  let tokens: [Int]
  /// Window layers wanted.
  private let count: Int
  /// Layers that keep full attention and are not chosen, and those that can be.
  private let full: Set<Int>
  private let others: [Int]

  /// The choice of `count` layers; throws what the conversion of `source` would.
  init(_ count: Int, _ settings: ConvertSettings, of source: ModelFile) throws {
    let depth = source.description.layers.count
    self.settings = settings
    self.count = count
    let selection = settings.fullAttentionLayers ?? .list([])
    full = Set((try? selection.resolved(depth: depth).get()) ?? [])
    tokens = try source.tokens(of: settings.text, limit: settings.tokens)
    others = (0..<depth).filter { [full] in !full.contains($0) }
    _ = try anyPlan(source)
    guard count <= others.count else {
      throw ConversionError.tooManyLayers(asked: count, available: others.count)
    }
    // Checks the length of the text.
    _ = try ranking(source, directory: "")
  }

  /// The plan with the first layers that could be chosen.
  func anyPlan(_ source: ModelFile) throws -> CheckpointPlan {
    try ConversionPlan.make(
      from: source, settings: settings.with(attentionLayers: Array(others.prefix(count))))
  }

  /// The measurement, with its files in `directory`.
  func ranking(_ source: ModelFile, directory: String) throws -> LayerRanking {
    try LayerRanking(
      model: source.description, weights: source, tokens: tokens, context: settings.context,
      directory: directory)
  }

  /// What follows from the scores.
  func selection(_ scores: [LayerRanking.Score]) -> Selection {
    let ranked = LayerRanking.ranked(scores)
    let chosen = ranked.map(\.layer).filter { !full.contains($0) }.prefix(count)
    let record = request.merging(
      JSONObject([
        ("layers", .string("\(LayerSelection.list(chosen.sorted()))")),
        (
          "ranking",
          .array(
            ranked.map { score in
              let mixer =
                full.contains(score.layer)
                ? "full" : chosen.contains(score.layer) ? "window" : "gla"
              return [
                "layer": .int(score.layer), "kl": .double(score.divergence),
                "error": .double(score.error), "becomes": .string(mixer),
              ]
            })
        ),
      ]))
    return Selection(layers: chosen.sorted(), record: record)
  }

  /// What was asked for, as the manifest records it.
  private var request: JSONObject {
    JSONObject([
      ("asked", .string("\(settings.attentionLayers)")),
      ("score", "kl"),
      ("tokens", .int(tokens.count)), ("context", .int(settings.context)),
      ("tokens_sha256", .string(Digest.of(tokens))),
    ])
  }

  /// The layers found, and how.
  struct Selection: Codable {
    /// Layers that keep window attention.
    var layers: [Int]
    /// The measurement as the manifest records it.
    var record: JSONObject

    /// The plan with these layers.
    func plan(_ source: ModelFile, _ settings: ConvertSettings) throws -> CheckpointPlan {
      var plan = try ConversionPlan.make(
        from: source, settings: settings.with(attentionLayers: layers))
      plan.recipe["selection"] = .object(record)
      return plan
    }

    init(layers: [Int], record: JSONObject) {
      self.layers = layers
      self.record = record
    }

    init(from decoder: any Decoder) throws {
      var values = try decoder.unkeyedContainer()
      layers = try values.decode([Int].self)
      let text = try values.decode(String.self)
      record = try JSONParser.parse(Array(text.utf8)).object ?? JSONObject()
    }

    func encode(to encoder: any Encoder) throws {
      var values = encoder.unkeyedContainer()
      try values.encode(layers)
      try values.encode(JSONValue.object(record).compact)
    }
  }
}

extension ConvertSettings {
  /// The same with these window layers instead of a measurement.
  func with(attentionLayers layers: [Int]) -> ConvertSettings {
    var settings = self
    settings.attentionLayers = .list(layers)
    settings.text = []
    return settings
  }
}

extension CheckpointPlan {
  /// The measurement that chose the layers, if there was one, as lines for people.
  var rankingText: String? {
    guard let selection = recipe["selection"]?.object,
      let ranking = selection["ranking"]?.array
    else { return nil }
    var table = Table(rightAligned: [0, 1, 2])
    table.add("layer", "KL", "error", "becomes")
    for row in ranking {
      table.add(
        "\(row["layer"]?.int ?? 0)", fixed(row["kl"]?.double ?? 0, 5),
        fixed(row["error"]?.double ?? 0, 3), row["becomes"]?.string ?? "")
    }
    return "KL: what each layer alone costs as a linear layer, nats per token\n\(table.text)"
  }
}
