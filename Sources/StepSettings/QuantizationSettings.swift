public import TensorTypes

/// How weights are rounded to integers, for what rounds them.
public struct QuantizationSettings: Sendable, Equatable {
  /// How codes are chosen.
  public var rounding = WeightRounding.gptq
  /// What integers they become, and how inputs share scales.
  public var quantization = WeightQuantization(.int8, .group(128))
  /// What is added to the inputs' second moments, relative to the mean of their diagonal.
  public var damping = 0.01
  /// Whether the errors of all ways of rounding are measured beside the chosen one.
  public var comparing = false

  /// The defaults: INT8, second-order rounding, groups of 128.
  public init() {}

  /// The granularities that are compared: those in use by others.
  package var compared: [ScaleGranularity] {
    quantization.codes == .int4 ? [.group(128), .group(32)] : [.channel, .group(128)]
  }
}
