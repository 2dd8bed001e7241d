public import Foundations
public import TensorTypes

/// Why ranks cannot share a model: each case is one rule of Megatron, with the number that is to be
/// divided and the ranks that do not divide it.
public enum MegatronTopologyError: ReportableError, Equatable {
  /// Tensor ranks each hold whole groups of queries with their key and value heads.
  case keyValueHeads(Int, ranks: Int)
  /// Tensor ranks each hold whole query heads.
  case heads(Int, ranks: Int)
  /// Tensor ranks cut the feed-forward part by its width.
  case feedForward(Int, ranks: Int)
  /// Tensor ranks cut every expert by its width.
  case expertWidth(Int, ranks: Int)
  /// Stages hold equally many layers.
  case layers(Int, ranks: Int)
  /// Expert ranks hold equally many experts.
  case experts(Int, ranks: Int)
  /// Expert ranks of a model that has no experts.
  case noExperts(ranks: Int)
  /// No rule of Megatron's: a tensor of a mixer that the names of its form lack.
  case noName(TensorAddress)

  public var what: String {
    switch self {
    case .keyValueHeads(let count, let ranks):
      wording("--tp", ranks, "the \(count) key/value heads")
    case .heads(let count, let ranks): wording("--tp", ranks, "the \(count) query heads")
    case .feedForward(let count, let ranks):
      wording("--tp", ranks, "the feed-forward width of \(count)")
    case .expertWidth(let count, let ranks):
      wording("--tp", ranks, "the expert width of \(count)")
    case .layers(let count, let ranks): wording("--pp", ranks, "the \(count) layers")
    case .experts(let count, let ranks): wording("--ep", ranks, "the \(count) experts")
    case .noExperts(let ranks):
      "--ep \(ranks) is for models with experts; this one is dense"
    case .noName(let address): "there is no name for the \(address)"
    }
  }

  public var advice: String? {
    let divided: Int
    switch self {
    case .keyValueHeads(let count, _), .heads(let count, _), .feedForward(let count, _),
      .expertWidth(let count, _), .layers(let count, _), .experts(let count, _):
      divided = count
    case .noExperts: return "leave --ep out"
    case .noName: return nil
    }
    let fitting = (1...max(1, min(divided, 64))).filter { divided % $0 == 0 }
    return "it is divided by \(fitting.map(String.init).joined(separator: ", "))"
  }

  private func wording(_ option: String, _ ranks: Int, _ count: String) -> String {
    "\(option) \(ranks) does not divide \(count)"
  }
}
