public import TensorTypes

/// The settings of weights as integers.
public struct QuantizationKeys: SettingKeys {
  /// What the projections' weights become.
  public let weights = Setting(
    "weights", WeightForm.kept, "What the projections' weights become: int8, int4 or none.")
  /// How inputs share scales.
  public let groupSize = Setting(
    "group-size", ScaleGranularity.group(128),
    "Inputs that share a scale: 32 to 1024, or channel.", valueName: "size")
  /// How codes are chosen.
  public let rounding = Setting(
    "rounding", WeightRounding.gptq, "How weights are rounded to integers.")
  /// Whether the errors of all ways of rounding are measured beside the chosen one.
  public let compareRoundings = Setting(
    "compare-roundings", false,
    "Measure the errors of all ways of rounding, and print them as a table.", isRecorded: false)

  /// The declarations.
  public static let keys = QuantizationKeys()
}

/// Forms of stored weights.
public enum WeightForm: String, Sendable, CaseIterable, SettingValue {
  /// As they are.
  case kept = "none"
  case int8
  case int4

  /// The integers; nil for none.
  public var codes: WeightCodes? { WeightCodes(rawValue: rawValue) }
}

/// Ways of choosing the codes of weights.
public enum WeightRounding: String, Sendable, CaseIterable, SettingValue {
  /// The nearest code at the scale largest magnitude / largest code.
  case nearest
  /// The nearest code at the scale with the least error, inputs weighted by their mean squares.
  case search
  /// Searched scales, and each error compensated by the weights after it.
  case gptq
}

extension ScaleGranularity: SettingValue {
  public init?(spelling: String) { self.init(groupSize: spelling) }
  public var spelling: String { groupSize }
  public static var expected: String { choices }
}
