import Architectures
public import Mixers

/// What `convert` may be told.
public typealias ConvertSettings = Settings<ConvertKeys>

/// The settings of `convert`; the defaults make the public 7B layout.
public struct ConvertKeys: SettingKeys {
  /// The target layout.
  public let layout = Setting(
    "layout", TargetLayout.interLayer,
    """
    Target layout: inter-layer (SpikingBrain-7B: linear and softmax layers in turn) or intra-layer \
    (SpikingBrain-76B: both side by side in every layer).
    """)
  /// Layers that keep sliding-window attention; all others become gated linear attention.
  public let attentionLayers = Setting(
    "attention-layers", LayerSelection.odd,
    """
    Layers that keep window attention, 0-based: odd, none, a list such as 1,3,8-11, or auto:N, the N \
    layers where linear attention would hurt most on --text.
    """, valueName: "layers")
  /// Layers that keep full attention; they are not counted among `attentionLayers`. Nil for those
  /// of the paper: none between layers, every seventh within layers.
  public let fullAttentionLayers = Setting<LayerSelection?>(
    "full-attention-layers", none: "report",
    "Layers that keep full attention (own layout only); report: none, or every seventh with intra-layer.",
    expected: "report or a list of layers", valueName: "layers"
  ) { !$0.isAuto }
  /// The sliding window W.
  public let window = Setting(
    "window", 4096, in: 1...Configuration.largestDimension, "Sliding window W, in tokens.")
  /// Whether the current token counts among the W.
  public let windowRule = Setting(
    "window-rule", Mixer.WindowRule.report,
    "report: W keys, the current one included; flash: W + 1 keys.")
  /// Bias of the decay gate: 0 gives every channel a memory of about 23 tokens.
  public let gateBias = Setting(
    "gate-bias", 0.0, in: Limits.gateBias,
    "Bias of the decay gates; 0 gives a memory of about 23 tokens.", expected: "-1000 to 1000")
  /// An adapter that is merged into the source first; nil for none.
  public let lora = Setting<String?>.lora(
    "A LoRA adapter, as PEFT saves it, that is merged into the source first.")
  /// The element type of the output.
  public let dtype = Setting.dtype
  /// Most bytes of tensors in one file.
  public let shardSize = Setting.shardSize
  /// Seed of the new gate matrices.
  public let seed = Setting.seed("Seed of the new gate matrices.")
  /// Texts by which `attentionLayers` is measured when it is `auto`; otherwise empty.
  public let text = Setting.texts("Texts that --attention-layers auto:N measures on.")
  /// Tokens of the texts that are used.
  public let tokens = Setting.tokens(16_384)
  /// Tokens per segment of the texts.
  public let context = Setting.context(512)
  /// What the intra-layer layout has besides.
  public let intraLayer = IntraLayerKeys()

  /// The declarations.
  public static let keys = ConvertKeys()

  public static let rules: [SettingRule<ConvertKeys>] = [
    SettingRule(
      \.text, saying: { "at least one file: \($0.attentionLayers) measures the layers on it" }
    ) { !$0.attentionLayers.isAuto || !$0.text.isEmpty },
    SettingRule(\.text, "none: only attention-layers auto:N reads a text") {
      $0.attentionLayers.isAuto || $0.text.isEmpty
    },
    SettingRule(
      \.attentionLayers,
      "nothing with layout intra-layer, where every layer has both kinds of attention"
    ) { $0.layout != .intraLayer || $0.attentionLayers == .odd },
    SettingRule(\.layout, "intra-layer beside sinks and branch settings") {
      $0.layout == .intraLayer || $0.intraLayer == IntraLayerSettings()
    },
  ]
}

/// A target layout.
public enum TargetLayout: String, Sendable, CaseIterable, SettingValue {
  /// Linear and softmax layers in turn, as SpikingBrain-7B.
  case interLayer = "inter-layer"
  /// Linear and softmax attention side by side in every layer, as SpikingBrain-76B.
  case intraLayer = "intra-layer"
}

extension Mixer.WindowRule: SettingValue {}

/// What `convert --layout intra-layer` may be told beyond the common settings.
public typealias IntraLayerSettings = Settings<IntraLayerKeys>

/// The settings of parallel branches; the defaults are as close to the source as the layout allows.
public struct IntraLayerKeys: SettingKeys {
  /// Sink tokens before every text; 0 for none. One starts closest to the source.
  public let sinks = Setting(
    "sinks", 1, in: 0...65_536, "Intra-layer: sink tokens before every text; 0 for none.")
  /// The token whose embedding the first sink starts from; nil for the one that begins a text.
  public let sinkToken = Setting<Int?>(
    "sink-token", none: "auto",
    "Intra-layer: the token that the first sink starts from; auto: the one that begins a text.",
    expected: "auto or a token id"
  ) { $0 >= 0 }
  /// Seeded noise on the sinks' embeddings, relative to their root mean square.
  public let sinkNoise = Setting(
    "sink-noise", 0.01, in: 0...10,
    "Intra-layer: noise on the sinks, relative to their embedding.", expected: "0 to 10")
  /// Factors of the linear and of the softmax branch.
  public let branchScale = Setting(
    "branch-scale", [0, 1] as NumberList,
    "Intra-layer: factors of the linear and of the softmax branch.",
    expected: "two numbers such as 0,1", shownDefault: "0,1"
  ) { $0.numbers.count == 2 && $0.numbers.allSatisfy { abs($0) <= 1000 } }
  /// Epsilon of the norms that merge the branches.
  ///
  /// Far above the squares of what it normalises it turns the norm into a mere factor, so that the
  /// softmax branch starts as the source's attention; the model's own epsilon makes it a norm.
  public let branchNormEpsilon = Setting(
    "branch-norm-eps", 1_048_576.0,
    """
    Intra-layer: epsilon of the norms that merge the branches; large ones leave the source's function.
    """, expected: "more than 0, to 1e12"
  ) { $0 > 0 && $0 <= 1e12 }

  /// The declarations.
  public static let keys = IntraLayerKeys()
}

extension IntraLayerSettings {
  /// What the norms' weights start at: the inverse of the factor that a large epsilon makes of
  /// them, else 1.
  public var branchNormWeight: Double { max(1, self.branchNormEpsilon.squareRoot()) }
}
