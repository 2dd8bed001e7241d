public import ArgumentParser
public import Recipes
import TensorTypes

/// The options of `upcycle` that a recipe can hold too.
struct UpcycleOptions: ParsableArguments {
  @Option(parsing: .unconditional, help: "Routed experts N per layer.")
  var experts = UpcycleSettings().experts

  @Option(parsing: .unconditional, help: "Shared experts, which every token passes through.")
  var shared = UpcycleSettings().shared

  @Option(parsing: .unconditional, help: "Routed experts that a token passes through.")
  var topK = UpcycleSettings().topK

  @Option(
    help: ArgumentHelp(
      "Layers that stay dense, 0-based: report (0,1,2,4,6,8,10), none, or a list.",
      valueName: "layers"))
  var denseLayers = "report"

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Carve dense parts instead of copying them: this many of their neurons form the shared "
        + "expert, the others are divided evenly among the routed ones, by what they do on --text.",
      valueName: "neurons"))
  var carve: Int?

  @Option(
    help: "exact: down_proj alone, changes nothing; cuberoot: gate, up and down, as the report.")
  var scale = UpcycleSettings.Scale.exact

  @Option(
    help: """
      How routers start: zero, random:STD, or clustered, which sends regions of --text to \
      their experts.
      """, transform: router)
  var router = UpcycleSettings.Router.zero

  @Option(help: "Element type of the output: keep, bfloat16, float16 or float32.")
  var dtype = ConvertSettings.OutputType.keep

  @Option(
    help: ArgumentHelp("Most bytes of tensors per file, e.g. 5GB.", valueName: "size"),
    transform: LimitOptions.size)
  var shardSize = UpcycleSettings().shardSize

  @Option(
    parsing: .unconditional,
    help: "Largest difference of logits that the router may cause, relative to the largest logit.")
  var tolerance = UpcycleSettings().tolerance

  @Option(help: "Seed of random routers and of clusters.")
  var seed: UInt64 = 0

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Texts on which --router clustered finds regions, or --carve watches neurons.",
      valueName: "file"))
  var text: [String] = []

  @Option(help: "Tokens of the texts to use.")
  var tokens = UpcycleSettings().tokens

  @Option(help: "Tokens per segment of the texts.")
  var context = UpcycleSettings().context

  /// The options as settings; values out of range are bad input, worded as for a recipe.
  func settings() throws -> UpcycleSettings {
    guard let dense = UpcycleSettings.denseLayers(parsing: denseLayers) else {
      throw InputError.option(
        "--dense-layers", value: denseLayers, expected: "report, none or a list such as 0,1,4-7")
    }
    var settings = UpcycleSettings()
    settings.experts = experts
    settings.shared = shared
    settings.topK = topK
    settings.denseLayers = dense
    settings.carve = carve
    settings.scale = scale
    settings.router = router
    settings.dtype = dtype
    settings.shardSize = shardSize
    settings.tolerance = tolerance
    settings.seed = seed
    settings.text = text
    settings.tokens = tokens
    settings.context = context
    try settings.validate { _ in .commandLine }
    try settings.validateFiles { _ in .commandLine }
    return settings
  }

  @Sendable private static func router(_ text: String) throws -> UpcycleSettings.Router {
    guard let router = UpcycleSettings.Router(parsing: text) else {
      throw ValidationError(
        "\"\(text)\" is not zero, clustered, or random:STD with STD above 0, to 1000.")
    }
    return router
  }
}

extension UpcycleSettings.Scale: ExpressibleByArgument {}
