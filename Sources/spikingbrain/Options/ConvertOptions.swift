public import ArgumentParser
public import Recipes
import TensorTypes

/// The options of `convert` that a recipe can hold too.
struct ConvertOptions: ParsableArguments {
  @Option(help: "Target layout: inter-layer (SpikingBrain-7B: linear and softmax layers in turn).")
  var layout = ConvertSettings.Layout.interLayer

  @Option(
    help: ArgumentHelp(
      "Layers that keep window attention, 0-based: odd, none, or a list such as 1,3,8-11.",
      valueName: "layers"),
    transform: layers)
  var attentionLayers = LayerSelection.odd

  @Option(
    help: ArgumentHelp("Layers that keep full attention (own layout only).", valueName: "layers"),
    transform: layers)
  var fullAttentionLayers = LayerSelection.list([])

  @Option(help: "Sliding window W, in tokens.")
  var window = 4096

  @Option(help: "report: W keys, the current one included; flash: W + 1 keys.")
  var windowRule = "report"

  @Option(help: "Bias of the decay gates; 0 gives a memory of about 23 tokens.")
  var gateBias = 0.0

  @Option(help: "Element type of the output: keep, bfloat16, float16 or float32.")
  var dtype = ConvertSettings.OutputType.keep

  @Option(
    help: ArgumentHelp("Most bytes of tensors per file, e.g. 5GB.", valueName: "size"),
    transform: LimitOptions.size)
  var shardSize = ByteSize(5_000_000_000)

  @Option(help: "Seed of the new gate matrices.")
  var seed: UInt64 = 0

  /// The options as settings; values out of range are bad input, with one message like a recipe's.
  func settings() throws -> ConvertSettings {
    func check(_ condition: Bool, _ key: String, _ value: String, _ expected: String) throws {
      guard condition else {
        throw RecipeError.wrongValue(
          key: key, value: value, expected: expected, place: .commandLine)
      }
    }
    try check(window > 0, "--window", "\(window)", "a positive integer")
    try check(
      ["report", "flash"].contains(windowRule), "--window-rule", windowRule, "report or flash")
    try check(gateBias.isFinite, "--gate-bias", "\(gateBias)", "a number")
    try check(shardSize.bytes > 0, "--shard-size", "\(shardSize.bytes)", "a size like 5GB")
    var settings = ConvertSettings()
    settings.layout = layout
    settings.attentionLayers = attentionLayers
    settings.fullAttentionLayers = fullAttentionLayers
    settings.window = window
    settings.windowRule = windowRule
    settings.gateBias = gateBias
    settings.dtype = dtype
    settings.shardSize = shardSize
    settings.seed = seed
    return settings
  }

  @Sendable private static func layers(_ text: String) throws -> LayerSelection {
    guard let selection = LayerSelection(parsing: text) else {
      throw ValidationError("\"\(text)\" is not odd, none, or a list of layers such as 1,3,8-11.")
    }
    return selection
  }
}

extension ConvertSettings.Layout: ExpressibleByArgument {}
extension ConvertSettings.OutputType: ExpressibleByArgument {}
extension VerifySettings.Level: ExpressibleByArgument {}
