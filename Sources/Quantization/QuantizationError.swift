public import Foundations

/// Why weights cannot be quantised.
public enum QuantizationError: ReportableError, Equatable {
  case alreadyQuantised
  /// The model cannot be kept as such integers.
  case doesNotFit(String)
  case memory(needed: ByteSize, limit: ByteSize)

  public var what: String {
    switch self {
    case .alreadyQuantised: "the weights are integers already"
    case .doesNotFit(let reason): reason
    case .memory(let needed, let limit):
      "the second moments of a layer's inputs take about \(needed), more than the \(limit) allowed"
    }
  }

  public var advice: String? {
    switch self {
    case .doesNotFit: "--weights int8 can hold it"
    case .alreadyQuantised: "give the checkpoint they were made from"
    case .memory: "--rounding search needs none of them; or allow more with --max-ram"
    }
  }
}
