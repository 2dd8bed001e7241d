import Architectures
import Checkpoints
import Conversion
import Foundations
import Healing
import Mixers
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
  init(
    _ count: Int, _ settings: ConvertSettings, of source: ModelFile, _ context: Context
  ) throws {
    let depth = source.description.layers.count
    self.settings = settings
    self.count = count
    full = try ConversionPlan.fullLayers(depth: depth, settings)
    let text = try source.textTokens(of: settings.text, limit: settings.tokens)
    tokens = text.tokens
    others = (0..<depth).filter { [full] in !full.contains($0) }
    _ = try anyPlan(source)
    guard count <= others.count else {
      throw ConversionError.tooManyLayers(asked: count, available: others.count)
    }
    // Checks the length of the text.
    _ = try ranking(source, directory: "")
    text.notes.forEach(context.note)
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
  func selection(_ scores: [LayerRanking.Score]) -> LayerSelectionRecord {
    let ranked = LayerRanking.ranked(scores)
    let chosen = ranked.map(\.layer).filter { !full.contains($0) }.prefix(count).sorted()
    return LayerSelectionRecord(
      asked: "\(settings.attentionLayers)", tokens: tokens.count, context: settings.context,
      digest: Digest.of(tokens), layers: "\(LayerSelection.list(chosen))",
      ranking: ranked.map { score in
        .init(
          layer: score.layer, divergence: score.divergence, error: score.error,
          becomes: full.contains(score.layer)
            ? Mixer.full.kind
            : chosen.contains(score.layer) ? settings.windowed.kind : ConversionPlan.linear.kind)
      })
  }
}

/// Which layers `auto:N` chose, and by what, as manifests record it.
struct LayerSelectionRecord: Codable {
  /// What was asked for: `auto:4`.
  var asked: String
  /// What the layers are ranked by.
  var score = "kl"
  /// Tokens of the text, of a segment of it, and what tells the text from others.
  var tokens: Int
  var context: Int
  var digest: String
  /// The layers that keep window attention, as a setting spells them.
  var layers: String
  /// All layers, the most costly first.
  var ranking: [Rank]

  /// What one layer alone costs as a linear layer, and what it becomes.
  struct Rank: Codable {
    var layer: Int
    /// Nats per token.
    var divergence: Double
    var error: Double
    /// The kind of its mixer.
    var becomes: String

    enum CodingKeys: String, CodingKey, CaseIterable {
      case layer
      case divergence = "kl"
      case error, becomes
    }
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case asked, score, tokens, context
    case digest = "tokens_sha256"
    case layers, ranking
  }

  static let key = "selection"
}

extension LayerSelectionRecord {
  /// The selection that a step recorded; nil when nothing was measured for it.
  init?(recorded recipe: JSONValue) {
    guard let record = recipe[Self.key]?.record(Self.self) else { return nil }
    self = record
  }

  /// The plan with these layers.
  func plan(_ source: ModelFile, _ settings: ConvertSettings) throws -> CheckpointPlan {
    let windows = ranking.filter { $0.becomes == settings.windowed.kind }.map(\.layer)
    var plan = try ConversionPlan.make(
      from: source, settings: settings.with(attentionLayers: windows.sorted()))
    let order = CodingKeys.allCases.map(\.rawValue) + Rank.CodingKeys.allCases.map(\.rawValue)
    plan.recipe[Self.key] = .object(try JSONObject(recording: self, order: order))
    return plan
  }

  /// The measurement as lines for people.
  var text: String {
    var table = Table(rightAligned: [0, 1, 2])
    table.add("layer", "KL", "error", "becomes")
    for rank in ranking {
      table.add(
        "\(rank.layer)", fixed(rank.divergence, 5), fixed(rank.error, 3), rank.becomes)
    }
    return "KL: what each layer alone costs as a linear layer, nats per token\n\(table.text)"
  }
}

extension ConvertSettings {
  /// What layers become that keep window attention.
  fileprivate var windowed: Mixer {
    .window(Mixer.Window(size: self.window, rule: self.windowRule))
  }

  /// The same with these window layers instead of a measurement.
  func with(attentionLayers layers: [Int]) -> ConvertSettings {
    var settings = self
    settings.attentionLayers = .list(layers)
    settings.text = []
    return settings
  }
}
