import Kernels
public import Mixers
public import TensorTypes

/// What a model is, layer by layer: everything the runtime and the converter need to know, and
/// nothing about files.
public struct ModelDescription: Sendable, Equatable {
  /// The `model_type` it was described by, for messages.
  public var modelType: String
  /// Rows of the embedding and of the output head (V).
  public var vocabularySize: Int
  /// Width of the residual stream (H).
  public var hiddenSize: Int
  /// Width of a dense feed-forward part (F).
  public var feedForwardSize: Int
  /// Query heads.
  public var heads: Int
  /// Key/value heads; divides `heads`.
  public var keyValueHeads: Int
  /// Channels per head (d); even.
  public var headDim: Int
  /// Epsilon of every RMSNorm.
  public var normEpsilon: Double
  /// Which projections have biases.
  public var biases: Biases
  /// The norms of q and k right after their projections.
  public var queryKeyNorm: QueryKeyNorm
  /// Whether the output head is the embedding.
  public var tiesEmbeddings: Bool
  /// Rotary embeddings of the softmax layers that have none of their own.
  public var rotary: RotaryParameters
  /// The context length the model was made for; informational.
  public var maximumPositions: Int
  /// The layers, first to last.
  public var layers: [LayerDescription]
  /// Special tokens named by the configuration.
  public var specialTokens: SpecialTokens
  /// Where the norms of every layer stand.
  public var normPlacement = NormPlacement.before
  /// Whether norms multiply by 1 + w, w what is stored: those of layers, of q and k, and the final one.
  public var normsAddOne = false
  /// What the gates of feed-forward parts pass through.
  public var activation = Activation.silu
  /// Constant factors.
  public var multipliers = Multipliers()
  /// Soft caps of scores and logits.
  public var softCaps = SoftCaps()
  /// Learnt tokens n before every text: positions 0 to n - 1, always visible, never scored.
  public var sinkCount = 0
  /// Epsilon of the norms that merge parallel branches.
  public var branchNormEpsilon = 1e-6
  /// How the projections are kept as integers; nil when weights are floating-point numbers.
  public var quantization: WeightQuantization?
  /// Which activations become spike counts before they are used; nil when none do.
  public var spiking: SpikingSettings?

  /// Rows of q and columns of o: heads · d.
  public var queryWidth: Int { heads * headDim }
  /// Rows of k and v: key/value heads · d.
  public var keyValueWidth: Int { keyValueHeads * headDim }

  /// Which projections add a bias.
  public struct Biases: Sendable, Equatable {
    /// q, k and v.
    public var queryKeyValue: Bool
    /// o.
    public var output: Bool
    /// Feed-forward gate, up and down.
    public var feedForward: Bool

    /// Biases on the named groups of projections.
    public init(queryKeyValue: Bool = false, output: Bool = false, feedForward: Bool = false) {
      self.queryKeyValue = queryKeyValue
      self.output = output
      self.feedForward = feedForward
    }
  }

  /// Special token ids; nil or empty when the configuration names none.
  public struct SpecialTokens: Sendable, Equatable {
    /// Beginning of text.
    public var beginning: Int?
    /// Ids that end a generation.
    public var end: [Int]
    /// Padding.
    public var padding: Int?

    /// The ids of a configuration.
    public init(beginning: Int? = nil, end: [Int] = [], padding: Int? = nil) {
      self.beginning = beginning
      self.end = end
      self.padding = padding
    }
  }
}

/// One layer: how it mixes tokens, and its feed-forward part.
public struct LayerDescription: Sendable, Equatable {
  /// How the layer mixes tokens.
  public var mixer: Mixer
  /// The feed-forward part.
  public var feedForward: FeedForward
  /// The rotary embedding of its softmax attention.
  public var rotary: LayerRotary

  /// A layer.
  public init(
    mixer: Mixer, feedForward: FeedForward = .dense, rotary: LayerRotary = .shared
  ) {
    self.mixer = mixer
    self.feedForward = feedForward
    self.rotary = rotary
  }

  /// The same layer with another mixer.
  public func with(_ mixer: Mixer) -> LayerDescription {
    var copy = self
    copy.mixer = mixer
    return copy
  }
}

/// The feed-forward part of a layer, gated in either form.
public enum FeedForward: Sendable, Equatable {
  /// One of the model's width.
  case dense
  /// Experts of which each token passes through a few.
  case experts(Experts)

  /// How many experts a layer has, and how wide they are.
  public struct Experts: Sendable, Equatable {
    /// Routed experts N.
    public var routed: Int
    /// Shared experts S that every token passes through, stored as one.
    public var shared: Int
    /// Routed experts k that a token passes through.
    public var chosen: Int
    /// Width E of one routed expert.
    public var size: Int
    /// Width of all shared experts together; 0 without any.
    public var sharedSize: Int
    /// What the outputs of the chosen experts are multiplied by.
    public var weighting: Weighting

    /// `routed` + `shared` experts of width `size`, of which `chosen` + `shared` work per token; the
    /// shared ones together of width `sharedSize` if it is given.
    public init(
      routed: Int, shared: Int, chosen: Int, size: Int, sharedSize: Int? = nil,
      weighting: Weighting = .softmax
    ) {
      self.routed = routed
      self.shared = shared
      self.chosen = chosen
      self.size = size
      self.sharedSize = shared > 0 ? sharedSize ?? shared * size : 0
      self.weighting = weighting
    }

    /// What the outputs of the chosen experts are multiplied by before they are summed.
    public enum Weighting: String, Sendable, CaseIterable {
      /// Their probabilities among all routed experts, as they are.
      case softmax
      /// The same divided by their sum.
      case normalized
      /// 1: the router only chooses.
      case one

      /// What is not usual.
      fileprivate var text: String {
        switch self {
        case .softmax: ""
        case .normalized: ", weights of sum 1"
        case .one: ", weights 1"
        }
      }
    }

    /// Neurons that a token passes through.
    public var activeSize: Int { sharedSize + chosen * size }

    /// The sum of all weights when every expert is equally likely: S + k/N.
    public var evenWeight: Double { Double(shared) + Double(chosen) / Double(routed) }

    /// `16 + 1 experts of 1536, top 1`, and what is not usual.
    var text: String {
      "\(routed) + \(shared) experts of \(size)"
        + (sharedSize == shared * size ? "" : " (shared \(sharedSize))") + ", top \(chosen)"
        + weighting.text
    }
  }

  /// `dense` or `moe`, as configurations and tables print it.
  public var kind: String { self == .dense ? "dense" : "moe" }

  /// The kind with its sizes, for people: `16 + 1 experts of 1536, top 1`.
  public var text: String {
    switch self {
    case .dense: kind
    case .experts(let experts):
      experts.text
    }
  }

  /// The experts; nil in a dense layer.
  public var experts: Experts? {
    if case .experts(let experts) = self { return experts }
    return nil
  }
}
