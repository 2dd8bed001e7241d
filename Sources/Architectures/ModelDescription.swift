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
  /// Whether q and k pass a per-head RMSNorm right after their projection.
  public var hasQueryKeyNorm: Bool
  /// Whether the output head is the embedding.
  public var tiesEmbeddings: Bool
  /// Rotary embeddings of the softmax layers.
  public var rotary: RotaryParameters
  /// The context length the model was made for; informational.
  public var maximumPositions: Int
  /// The layers, first to last.
  public var layers: [LayerDescription]
  /// Special tokens named by the configuration.
  public var specialTokens: SpecialTokens

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

/// One layer: how it mixes tokens, and its feed-forward part (dense SwiGLU so far).
public struct LayerDescription: Sendable, Equatable {
  /// How the layer mixes tokens.
  public var mixer: Mixer

  /// A layer with a dense feed-forward part.
  public init(mixer: Mixer) { self.mixer = mixer }
}

/// How a layer mixes tokens.
public enum Mixer: Sendable, Equatable {
  /// Causal softmax attention over everything before.
  case full
  /// Causal softmax attention over the last keys.
  case window(Window)
  /// Gated linear attention (SpikingBrain report, section 2.1).
  case gatedLinear(GateForm)

  /// The span of a sliding window.
  public struct Window: Sendable, Equatable {
    /// The configured window W.
    public var size: Int
    /// Whether the current token counts among the W.
    public var rule: WindowRule

    /// A window of `size` tokens under `rule`.
    public init(size: Int, rule: WindowRule = .report) {
      self.size = size
      self.rule = rule
    }

    /// Keys a token sees, itself included.
    public var keys: Int { rule == .report ? size : size + 1 }
  }

  /// Two readings of "window W": the report's equation 2 counts the current token, the public
  /// flash-attention path passes `window_size=(W, 0)` and sees one key more.
  public enum WindowRule: String, Sendable, CaseIterable {
    case report, flash
  }

  /// How the decay gate is stored.
  public enum GateForm: Sendable, Equatable {
    /// Two matrices [rank, H] and [kv·d, rank] with a bias.
    case lowRank(Int)
    /// One matrix [kv·d, H] with a bias.
    case merged
  }

  /// `full`, `window` or `gla`, as configurations and tables print it.
  public var kind: String {
    switch self {
    case .full: "full"
    case .window: "window"
    case .gatedLinear: "gla"
    }
  }

  /// The kind with its size, for people: `window 4096`.
  public var text: String {
    switch self {
    case .full, .gatedLinear: kind
    case .window(let window):
      "window \(window.size)" + (window.rule == .flash ? " (flash rule)" : "")
    }
  }

  /// Keys a token sees, itself included; nil when nothing bounds them.
  public var windowKeys: Int? {
    if case .window(let window) = self { return window.keys }
    return nil
  }

  /// Whether this is softmax attention, full or windowed.
  public var isSoftmax: Bool {
    if case .gatedLinear = self { return false }
    return true
  }
}

/// Rotary position embeddings, half-split (`rotate_half`).
public struct RotaryParameters: Sendable, Equatable {
  /// The base of the frequencies: 1/theta^(2i/d).
  public var theta: Double
  /// How the frequencies are changed for long contexts.
  public var scaling: Scaling

  /// Parameters of unscaled or scaled rotary embeddings.
  public init(theta: Double, scaling: Scaling = .none) {
    self.theta = theta
    self.scaling = scaling
  }

  /// A change of the frequencies for long contexts.
  public enum Scaling: Sendable, Equatable {
    case none
    /// All frequencies divided by the factor.
    case linear(factor: Double)
    /// Llama 3.1: low frequencies divided, high ones kept, a smooth ramp between.
    case llama3(factor: Double, low: Double, high: Double, originalPositions: Int)
    /// Explicit divisors of the frequencies [d/2], as GGUF files store them.
    case divisors([Float])
  }
}
