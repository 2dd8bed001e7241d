public import TensorTypes

/// How weights are rounded to INT8, for what rounds them.
public struct QuantizationSettings: Sendable, Equatable {
  /// How codes are chosen.
  public var rounding = WeightRounding.gptq
  /// How inputs share scales.
  public var granularity = ScaleGranularity.group(128)
  /// What is added to the inputs' second moments, relative to the mean of their diagonal.
  public var damping = 0.01
  /// Whether the errors of all ways of rounding are measured beside the chosen one.
  public var comparing = false

  /// The defaults: second-order rounding, groups of 128.
  public init() {}

  /// What determines the output, key by key in a fixed order.
  public var fields: [(key: String, value: String)] {
    [
      ("weights", "int8"), ("rounding", rounding.rawValue), ("scales", granularity.text),
      ("damping", "\(damping)"),
    ]
  }
}
