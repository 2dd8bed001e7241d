public import TensorTypes

/// How `calibrate --weights int8` rounds weights.
public struct QuantizationSettings: Sendable, Equatable {
  /// How codes are chosen.
  public var rounding = Rounding.gptq
  /// How inputs share scales.
  public var granularity = ScaleGranularity.group(128)
  /// What is added to the inputs' second moments, relative to the mean of their diagonal.
  public var damping = 0.01
  /// Whether the errors of all ways of rounding are measured beside the chosen one.
  public var comparing = false

  /// The defaults: second-order rounding, groups of 128.
  public init() {}

  /// Ways of choosing codes.
  public enum Rounding: String, Sendable, CaseIterable {
    /// The nearest code at the scale max / 127.
    case nearest
    /// The nearest code at the scale with the least error, inputs weighted by their mean squares.
    case search
    /// Searched scales, and each error compensated by the weights after it.
    case gptq
  }

  /// What determines the output, key by key in a fixed order.
  public var fields: [(key: String, value: String)] {
    [
      ("weights", "int8"), ("rounding", rounding.rawValue), ("scales", granularity.text),
      ("damping", "\(damping)"),
    ]
  }
}

extension QuantizationSettings {
  /// The keys that make these settings in a recipe.
  var recipeFields: [(key: String, value: String)] {
    [
      ("weights", "int8"), ("group-size", granularity.groupSize), ("rounding", rounding.rawValue),
    ]
  }

  /// What may be said of the rounding only where there is one.
  public static let onlyWithInt8 = "only with weights int8"

  /// Reads those keys; nil when weights stay as they are.
  static func read(_ reader: inout RecipeReader) throws(RecipeError) -> QuantizationSettings? {
    let isInt8 = try reader.value("weights", default: false, expected: "none or int8") {
      ["none": false, "int8": true][$0]
    }
    var settings = QuantizationSettings(), given: String?
    settings.granularity = try reader.value(
      "group-size", default: settings.granularity, expected: ScaleGranularity.choices
    ) {
      given = "group-size"
      return ScaleGranularity(groupSize: $0)
    }
    settings.rounding = try reader.value(
      "rounding", default: settings.rounding, expected: Rounding.choices
    ) {
      given = "rounding"
      return Rounding(rawValue: $0)
    }
    if let given, !isInt8 {
      throw .wrongValue(
        key: given, value: try reader.text(given) ?? "", expected: onlyWithInt8,
        place: reader.place(given))
    }
    return isInt8 ? settings : nil
  }
}
