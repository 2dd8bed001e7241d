public import Architectures
public import ArgumentParser
public import Recipes
import TensorTypes

/// The options of `convert` that a recipe can hold too.
struct ConvertOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Target layout: inter-layer (SpikingBrain-7B: linear and softmax layers in turn) or "
        + "intra-layer (SpikingBrain-76B: both side by side in every layer)."))
  var layout = ConvertSettings.Layout.interLayer

  @Option(
    help: ArgumentHelp(
      "Layers that keep window attention, 0-based: odd, none, a list such as 1,3,8-11, or auto:N, "
        + "the N layers where linear attention would hurt most on --text.", valueName: "layers"),
    transform: layers)
  var attentionLayers = LayerSelection.odd

  @Option(
    help: ArgumentHelp(
      "Layers that keep full attention (own layout only); default: none with inter-layer, every "
        + "seventh with intra-layer.", valueName: "layers"),
    transform: fullLayers)
  var fullAttentionLayers: LayerSelection?

  @Option(parsing: .unconditional, help: "Sliding window W, in tokens.")
  var window = 4096

  @Option(help: "report: W keys, the current one included; flash: W + 1 keys.")
  var windowRule = Mixer.WindowRule.report

  @Option(
    parsing: .unconditional, help: "Bias of the decay gates; 0 gives a memory of about 23 tokens.")
  var gateBias = 0.0

  @Option(help: "Element type of the output: keep, bfloat16, float16 or float32.")
  var dtype = ConvertSettings.OutputType.keep

  @Option(
    help: ArgumentHelp("Most bytes of tensors per file, e.g. 5GB.", valueName: "size"),
    transform: LimitOptions.size)
  var shardSize = ByteSize(5_000_000_000)

  @Option(help: "Seed of the new gate matrices.")
  var seed: UInt64 = 0

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Texts that --attention-layers auto:N measures on.", valueName: "file"))
  var text: [String] = []

  @Option(help: "Tokens of the texts to use.")
  var tokens = ConvertSettings().tokens

  @Option(help: "Tokens per segment of the texts.")
  var context = ConvertSettings().context

  @OptionGroup(title: "Intra-layer options") var intraLayer: IntraLayerOptions

  /// The options as settings; values out of range are bad input, worded as for a recipe.
  func settings() throws -> ConvertSettings {
    var settings = ConvertSettings()
    settings.layout = layout
    settings.attentionLayers = attentionLayers
    settings.fullAttentionLayers = fullAttentionLayers
    settings.intraLayer = try intraLayer.settings()
    settings.window = window
    settings.windowRule = windowRule
    settings.gateBias = gateBias
    settings.dtype = dtype
    settings.shardSize = shardSize
    settings.seed = seed
    settings.text = text
    settings.tokens = tokens
    settings.context = context
    try settings.validate { _ in .commandLine }
    return settings
  }

  @Sendable private static func layers(_ text: String) throws -> LayerSelection {
    guard let selection = LayerSelection(parsing: text) else {
      throw ValidationError(
        "\"\(text)\" is not odd, none, auto:N, or a list of layers such as 1,3,8-11.")
    }
    return selection
  }

  @Sendable private static func fullLayers(_ text: String) throws -> LayerSelection {
    guard let selection = LayerSelection(parsing: text), !selection.isAuto else {
      throw ValidationError("\"\(text)\" is not odd, none, or a list of layers such as 1,3,8-11.")
    }
    return selection
  }
}

extension Mixer.WindowRule: ExpressibleByArgument {}
extension ConvertSettings.Layout: ExpressibleByArgument {}
extension ConvertSettings.OutputType: ExpressibleByArgument {}
extension VerifySettings.Level: ExpressibleByArgument {}
