import ArgumentParser
import Recipes

/// The options of `convert --layout intra-layer`.
struct IntraLayerOptions: ParsableArguments {
  @Option(parsing: .unconditional, help: "Sink tokens before every text; 0 for none.")
  var sinks = IntraLayerSettings().sinks

  @Option(help: "The token that the first sink starts from; auto: the one that begins a text.")
  var sinkToken = "auto"

  @Option(parsing: .unconditional, help: "Noise on the sinks, relative to their embedding.")
  var sinkNoise = IntraLayerSettings().sinkNoise

  @Option(parsing: .unconditional, help: "Factors of the linear and of the softmax branch.")
  var branchScale = "0,1"

  @Option(
    parsing: .unconditional,
    help: "Epsilon of the norms that merge the branches; large ones leave the source's function.")
  var branchNormEps = IntraLayerSettings().branchNormEpsilon

  /// The options as settings, not yet checked for their ranges.
  func settings() throws -> IntraLayerSettings {
    guard let token = IntraLayerSettings.sinkToken(parsing: sinkToken) else {
      throw InputError.option("--sink-token", value: sinkToken, expected: "auto or a token id")
    }
    guard let factors = IntraLayerSettings.numbers(parsing: branchScale) else {
      throw InputError.option(
        "--branch-scale", value: branchScale, expected: "two numbers such as 0,1")
    }
    var settings = IntraLayerSettings()
    settings.sinks = sinks
    settings.sinkToken = token
    settings.sinkNoise = sinkNoise
    settings.branchScale = factors
    settings.branchNormEpsilon = branchNormEps
    return settings
  }
}
