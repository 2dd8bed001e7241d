import Mixers
import TensorTypes

/// What the properties of a description are called where one model has them and another form of it
/// does not.
///
/// The one place for these words: obstacles of layouts, refusals of profiles and of training follow
/// from comparing two descriptions.
extension ModelDescription {
  /// A property, and what to call a difference in it.
  struct Field: Sendable {
    /// The name of the stored property; `layers` and `rotary` have several rows.
    let property: String
    /// The words for what `model` has and `other` lacks; empty when they agree.
    let words: @Sendable (_ model: ModelDescription, _ other: ModelDescription) -> [String]

    init(
      _ property: String,
      _ words: @escaping @Sendable (ModelDescription, ModelDescription) -> [String]
    ) {
      self.property = property
      self.words = words
    }

    /// A property that is compared as a whole and has one name.
    init<Value: Equatable & Sendable>(
      _ property: String, _ value: @escaping @Sendable (ModelDescription) -> Value,
      _ name: @escaping @Sendable (ModelDescription) -> String
    ) {
      self.init(property) { value($0) == value($1) ? [] : [name($0)] }
    }
  }

  /// What this model has that `other` does not, each in some words; empty when both compute the same.
  public func differences(from other: ModelDescription) -> [String] {
    ModelDescription.fields.flatMap { $0.words(self, other) }
  }

  /// Properties that change nothing a model computes.
  static let informational: Set<String> = ["modelType", "maximumPositions"]

  /// Every property, in the order in which differences are told.
  static let fields: [Field] = [
    Field("vocabularySize", { $0.vocabularySize }, { "a vocabulary of \($0.vocabularySize)" }),
    Field("hiddenSize", { $0.hiddenSize }, { "a hidden size of \($0.hiddenSize)" }),
    Field("heads", { $0.heads }, { "\($0.heads) heads" }),
    Field("keyValueHeads", { $0.keyValueHeads }, { "\($0.keyValueHeads) key/value heads" }),
    Field(
      "headDim", { $0.headDim },
      {
        "head_dim \($0.headDim) is not hidden_size / heads (\($0.hiddenSize) / \($0.heads))"
      }),
    Field(
      "feedForwardSize", { $0.feedForwardSize },
      { "a feed-forward width of \($0.feedForwardSize)" }),
    Field("normEpsilon", { $0.normEpsilon }, { "norms with epsilon \($0.normEpsilon)" }),
    Field(
      "queryKeyNorm", { $0.queryKeyNorm },
      { $0.queryKeyNorm == .whole ? "q/k norms over all channels" : "q/k norms" }),
    Field("rotary", { $0.rotary.scaling }, { _ in "rope scaling" }),
    Field("rotary", { $0.rotary.theta }, { "rope theta \($0.rotary.theta)" }),
    Field("rotary", { $0.rotary.channels }, { _ in "partial rotary embeddings" }),
    Field("rotary", { $0.rotary.magnitude }, { _ in "a factor of rotary embeddings" }),
    Field(
      "rotary", { $0.rotary.limit },
      { "rotary embeddings for texts up to \($0.rotary.limit.map(String.init) ?? "any") tokens" }),
    Field("layers", { $0.layers.map(\.rotary) }, { _ in "rotary embeddings by layer" }),
    Field(
      "biases", { $0.biases.queryKeyValue },
      { "q, k and v with\($0.biases.queryKeyValue ? "" : "out") biases" }),
    Field("biases", { $0.biases.output }, { _ in "o_proj biases" }),
    Field("biases", { $0.biases.feedForward }, { _ in "MLP biases" }),
    Field("layers") { mixers($0, $1) },
    Field("layers") { experts($0, $1) },
    Field("branchNormEpsilon") { model, other in
      let isUsed = model.layers.contains { $0.mixer.form.usesBranchNormEpsilon }
      return isUsed && model.branchNormEpsilon != other.branchNormEpsilon
        ? ["branch norms with epsilon \(model.branchNormEpsilon)"] : []
    },
    Field("sinkCount", { $0.sinkCount }, { _ in "sink tokens" }),
    Field("tiesEmbeddings", { $0.tiesEmbeddings }, { _ in "tied embeddings" }),
    Field("spiking", { $0.spiking }, { _ in "spiking thresholds" }),
    Field(
      "quantization", { $0.quantization },
      { "\($0.quantization?.codes.text ?? "floating-point") weights" }),
    Field(
      "normPlacement", { $0.normPlacement },
      { $0.normPlacement == .before ? "norms in front of each part" : "norms behind each part" }),
    Field("normsAddOne", { $0.normsAddOne }, { _ in "norms with weight 1 + w" }),
    Field("activation", { $0.activation }, { "activation \($0.activation.rawValue)" }),
    Field("multipliers", { $0.multipliers.embedding }, { _ in "a factor of the embedding" }),
    Field("multipliers", { $0.multipliers.residual }, { _ in "a factor of what layers add" }),
    Field("multipliers", { $0.multipliers.scores }, { _ in "a factor of attention scores" }),
    Field("multipliers", { $0.multipliers.logits }, { _ in "a factor of the logits" }),
    Field("softCaps", { $0.softCaps.scores }, { _ in "soft caps of attention scores" }),
    Field("softCaps", { $0.softCaps.logits }, { _ in "soft caps of logits" }),
    Field("specialTokens", { $0.specialTokens }, { _ in "these special tokens" }),
  ]

  /// Mixers that `other` has not in the same layers.
  private static func mixers(_ model: ModelDescription, _ other: ModelDescription) -> [String] {
    guard model.layers.count == other.layers.count else { return ["\(model.layers.count) layers"] }
    let lost = zip(model.layers, other.layers).filter { $0.mixer != $1.mixer }.map(\.0.mixer)
    return lost.reduce(into: []) { words, mixer in
      if !words.contains(mixer.form.description) { words.append(mixer.form.description) }
    }
  }

  /// Feed-forward parts that `other` has not in the same layers.
  private static func experts(_ model: ModelDescription, _ other: ModelDescription) -> [String] {
    let lost = zip(model.layers, other.layers).filter { $0.feedForward != $1.feedForward }
    guard !lost.isEmpty else { return [] }
    return other.layers.contains { $0.feedForward.experts != nil }
      ? ["layers with different experts"] : ["experts"]
  }
}
