import Architectures
public import ArgumentParser
import Recipes
import TensorTypes

/// The options of `calibrate` that a recipe could hold too.
struct CalibrateOptions: ParsableArguments {
  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Calibration texts.", valueName: "file"))
  var text: [String]

  @Option(parsing: .unconditional, help: "Pieces of the texts to read, spread evenly.")
  var samples = CalibrateSettings().samples

  @Option(parsing: .unconditional, help: "Tokens of a piece; at most 512 for the best k.")
  var context = CalibrateSettings().context

  @Option(
    parsing: .unconditional,
    help: """
      Spikes of a channel as large as the mean: a number for all projections, auto, or none to \
      leave them as they are.
      """)
  var k = "\(CalibrateSettings().k)"

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --k auto: least share of cells without a spike (own-length).", valueName: "share"))
  var targetSparsity: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --k auto: largest increase of the perplexity on the samples.", valueName: "percent"))
  var maxPplIncrease: Double?

  @Option(help: "The coding to name: bitwise, ternary, binary or twos-complement.")
  var coding = SpikingSettings.Coding.bitwise

  @Option(
    parsing: .unconditional,
    help: """
      k of the rotated queries of softmax attention, auto (only with --k auto) or none; default: \
      3, with --k auto or none the same.
      """)
  var queryK: String?

  @Option(help: "What softmax layers keep keys and values as: none (float32) or int8.")
  var kv = KeyValueForm.none

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Keep only this share of the channels that down_proj reads, those with the largest "
        + "magnitudes.", valueName: "share"))
  var winners: Double?

  @OptionGroup var int8: Int8Options

  @Option(help: "Compression of calibration.h5: deflate, or zstd (filter 32015).")
  var compression = CalibrateSettings.Compression.deflate

  @Option(help: "Element type of the output: keep, bfloat16, float16 or float32.")
  var dtype = ConvertSettings.OutputType.keep

  @Option(
    help: ArgumentHelp("Most bytes of tensors per file, e.g. 5GB.", valueName: "size"),
    transform: LimitOptions.size)
  var shardSize = CalibrateSettings().shardSize

  /// Forms of stored keys and values.
  enum KeyValueForm: String, CaseIterable, ExpressibleByArgument {
    case none, int8
  }

  /// The options as settings; values out of range are bad input, worded as for a recipe.
  func settings() throws -> CalibrateSettings {
    var settings = CalibrateSettings()
    guard let threshold = CalibrateSettings.Threshold(parsing: k) else {
      throw InputError.option("--k", value: k, expected: "auto, none or a number such as 3")
    }
    settings.text = text
    settings.samples = samples
    settings.context = context
    settings.k = threshold
    settings.targetSparsity = targetSparsity
    settings.maxPerplexityIncrease = maxPplIncrease
    settings.coding = coding
    settings.queryK = threshold.queryK
    if let queryK {
      guard let k = CalibrateSettings.Threshold(parsing: queryK) else {
        throw InputError.option(
          "--query-k", value: queryK, expected: "auto, none or a number such as 3")
      }
      settings.queryK = k
    }
    settings.cache = kv == .int8 ? .int8 : .float32
    settings.winners = winners
    settings.weights = try int8.settings()
    settings.compression = compression
    settings.dtype = dtype
    settings.shardSize = shardSize
    try settings.validate { _ in .commandLine }
    return settings
  }
}

extension SpikingSettings.Coding: ExpressibleByArgument {}
extension CalibrateSettings.Compression: ExpressibleByArgument {}
