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
