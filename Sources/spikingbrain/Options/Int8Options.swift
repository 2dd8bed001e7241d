public import ArgumentParser
public import Recipes
import TensorTypes

/// Options of weights in INT8.
struct Int8Options: ParsableArguments {
  @Option(help: "What the projections' weights become: int8 or none.")
  var weights = Form.none

  @Option(
    help: ArgumentHelp("Inputs that share a scale: 32 to 1024, or channel.", valueName: "size"))
  var groupSize = "128"

  @Option(help: "How weights are rounded to INT8: nearest, search or gptq.")
  var rounding = QuantizationSettings().rounding

  @Flag(help: "Measure the errors of all ways of rounding, and print them as a table.")
  var compareRoundings = false

  /// Forms of stored weights.
  enum Form: String, CaseIterable, ExpressibleByArgument {
    case none, int8
  }

  /// The options as settings; nil when weights stay as they are.
  func settings() throws -> QuantizationSettings? {
    guard weights == .int8 else { return nil }
    var settings = QuantizationSettings()
    settings.rounding = rounding
    settings.comparing = compareRoundings
    if groupSize == "channel" {
      settings.granularity = .channel
      return settings
    }
    guard let size = Int(groupSize), ScaleGranularity.groupSizes.contains(size) else {
      let known = ScaleGranularity.groupSizes.map(String.init).joined(separator: ", ")
      throw InputError.option(
        "--group-size", value: groupSize, expected: "\(known) or channel")
    }
    settings.granularity = .group(size)
    return settings
  }
}

extension QuantizationSettings.Rounding: ExpressibleByArgument {}
