public import ArgumentParser
public import Recipes
import TensorTypes

/// Options of weights in INT8.
struct Int8Options: ParsableArguments {
  @Option(help: "What the projections' weights become: int8 or none.")
  var weights = Form.none

  @Option(
    help: ArgumentHelp(
      "Inputs that share a scale: 32 to 1024, or channel; default: 128.", valueName: "size"))
  var groupSize: String?

  @Option(
    help: "How weights are rounded to INT8: nearest, search or gptq; default: gptq.")
  var rounding: QuantizationSettings.Rounding?

  @Flag(help: "Measure the errors of all ways of rounding, and print them as a table.")
  var compareRoundings = false

  /// Forms of stored weights.
  enum Form: String, CaseIterable, ExpressibleByArgument {
    case none, int8
  }

  /// The options as settings; nil when weights stay as they are.
  func settings() throws -> QuantizationSettings? {
    guard weights == .int8 else {
      let given = [
        ("--group-size", groupSize), ("--rounding", rounding?.rawValue),
        ("--compare-roundings", compareRoundings ? "given" : nil),
      ]
      for case (let option, let value?) in given {
        throw InputError.option(option, value: value, expected: QuantizationSettings.onlyWithInt8)
      }
      return nil
    }
    var settings = QuantizationSettings()
    if let rounding { settings.rounding = rounding }
    settings.comparing = compareRoundings
    guard let groupSize else { return settings }
    guard let granularity = ScaleGranularity(groupSize: groupSize) else {
      throw InputError.option(
        "--group-size", value: groupSize, expected: ScaleGranularity.choices)
    }
    settings.granularity = granularity
    return settings
  }
}

extension QuantizationSettings.Rounding: ExpressibleByArgument {}
