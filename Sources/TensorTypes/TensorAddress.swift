/// What a tensor is, independent of how a file names it: layer, expert, role and parameter.
///
/// A `NameTable` translates addresses to the names of one format and back; no other code builds
/// or splits a tensor name.
public struct TensorAddress: Sendable, Hashable, Codable {
  /// The 0-based layer, or nil for tensors outside the layer stack.
  public var layer: Int?
  /// The expert a feed-forward tensor belongs to, or nil in a dense layer.
  public var expert: Expert?
  /// The part of the computation the tensor belongs to.
  public var role: Role
  /// Which of the role's parameters it is.
  public var parameter: Parameter

  /// An address; `layer` nil means outside the layer stack.
  public init(
    _ role: Role, _ parameter: Parameter = .weight, layer: Int? = nil, expert: Expert? = nil
  ) {
    self.layer = layer
    self.expert = expert
    self.role = role
    self.parameter = parameter
  }

  /// A routed or the shared expert of a mixture-of-experts layer.
  public enum Expert: Sendable, Hashable, Codable {
    case routed(Int)
    case shared
  }

  /// The part of the model a tensor belongs to.
  public enum Role: String, Sendable, Hashable, Codable, CaseIterable {
    /// Token embedding [V, H], final norm [H], output head [V, H].
    case embedding, finalNorm, head
    /// Embeddings of the sinks [n, H]: learnt tokens before every text.
    case sinkTokens
    /// Norms before the mixer and before the feed-forward part [H].
    case mixerNorm, ffnNorm
    /// Norms behind them, of what they add to the residual stream [H].
    case mixerPostNorm, ffnPostNorm
    /// Projections of the mixer: q [heads·d, H], k and v [kv·d, H], o [H, heads·d].
    case query, key, value, output
    /// Norms of q and k: per head [d], or of all channels [heads·d] and [kv·d].
    case queryNorm, keyNorm
    /// GLA decay gate: low-rank pair [r, H] and [kv·d, r]; or the merged full matrix [kv·d, H].
    case gateLow, gateHigh, gateMerged
    /// GLA per-head output norm [d].
    case outputNorm
    /// Parallel branches: per-head norms of the linear and of the softmax branch [heads, d], and the
    /// factors of both [2].
    case linearNorm, softmaxNorm, branchScale
    /// Feed-forward projections: gate and up [F, H], down [H, F].
    case ffnGate, ffnUp, ffnDown
    /// Scores of the routed experts [N, H].
    case router
    /// Frequency divisors of rotary embeddings [d/2] (GGUF `rope_freqs.weight`).
    case ropeFactors
  }

  /// Which parameter of a role.
  public enum Parameter: String, Sendable, Hashable, Codable {
    case weight, bias
    /// The scales of a weight in INT8 [out, scales per row].
    case scale
  }
}

extension TensorAddress: CustomStringConvertible {
  /// For messages about tensors that have no name in a file: `layer 3 query weight`.
  public var description: String {
    let place = layer.map { "layer \($0) " } ?? ""
    let owner: String
    switch expert {
    case nil: owner = ""
    case .shared: owner = "shared expert "
    case .routed(let index): owner = "expert \(index) "
    }
    return "\(place)\(owner)\(role.rawValue) \(parameter.rawValue)"
  }
}
