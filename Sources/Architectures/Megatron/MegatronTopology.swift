/// How a model is shared by the ranks of Megatron: matrices by tensor ranks, layers by pipeline
/// ranks (stages), experts by expert ranks.
public struct MegatronTopology: Sendable, Hashable {
  /// The vocabulary is padded to a multiple of this many rows for each tensor rank.
  public static let vocabularyMultiple = 128

  /// Ranks that each hold a part of every matrix (TP).
  public var tensor: Int
  /// Ranks that each hold some layers (PP).
  public var pipeline: Int
  /// Ranks that each hold some experts (EP).
  public var expert: Int

  /// A topology; each count is at least 1.
  public init(tensor: Int = 1, pipeline: Int = 1, expert: Int = 1) {
    self.tensor = tensor
    self.pipeline = pipeline
    self.expert = expert
  }

  /// One of the ranks that hold different parts of the model.
  public struct Rank: Sendable, Hashable {
    /// Which part of every matrix, from 0.
    public var tensor: Int
    /// Which stage, from 0.
    public var pipeline: Int
    /// Which block of experts, from 0.
    public var expert: Int

    /// A rank by its three numbers.
    public init(tensor: Int = 0, pipeline: Int = 0, expert: Int = 0) {
      self.tensor = tensor
      self.pipeline = pipeline
      self.expert = expert
    }
  }

  /// All ranks: by stage, then by expert block, then by part of the matrices.
  public var ranks: [Rank] {
    (0..<pipeline).flatMap { stage in
      (0..<expert).flatMap { block in
        (0..<tensor).map { Rank(tensor: $0, pipeline: stage, expert: block) }
      }
    }
  }

  /// The directory of a rank in legacy checkpoints: `mp_rank_TT[_PPP][_EEE]`. A number that is left
  /// out makes the name ambiguous: only the topology tells what a name means.
  public func directoryName(of rank: Rank) -> String {
    func digits(_ number: Int, _ width: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    return "mp_rank_\(digits(rank.tensor, 2))"
      + (pipeline > 1 ? "_\(digits(rank.pipeline, 3))" : "")
      + (expert > 1 ? "_\(digits(rank.expert, 3))" : "")
  }

  /// The rows of the embedding with padding, for a vocabulary of `size`.
  public func paddedVocabulary(_ size: Int) -> Int {
    let multiple = MegatronTopology.vocabularyMultiple * tensor
    return (size + multiple - 1) / multiple * multiple
  }

  /// Throws the first rule that `model` breaks.
  public func check(_ model: ModelDescription) throws(MegatronTopologyError) {
    let depth = model.layers.count
    if model.keyValueHeads % tensor != 0 {
      throw .keyValueHeads(model.keyValueHeads, ranks: tensor)
    }
    if model.heads % tensor != 0 { throw .heads(model.heads, ranks: tensor) }
    if depth % pipeline != 0 { throw .layers(depth, ranks: pipeline) }
    let experts = model.layers.compactMap(\.feedForward.experts)
    if experts.count < depth, model.feedForwardSize % tensor != 0 {
      throw .feedForward(model.feedForwardSize, ranks: tensor)
    }
    if experts.isEmpty, expert > 1 { throw .noExperts(ranks: expert) }
    for experts in experts {
      for width in [experts.size, experts.sharedSize] where width % tensor != 0 {
        throw .expertWidth(width, ranks: tensor)
      }
      if experts.routed % expert != 0 { throw .experts(experts.routed, ranks: expert) }
    }
  }
}
