public import Mixers
import StrictJSON

/// The per-layer keys of our own layout.
extension Configuration {
  /// Routed experts of a layer; published models have up to some hundreds.
  static let mostExperts = 4096
  /// Shared experts of a layer.
  static let mostSharedExperts = 64
  /// Sink tokens before a text; the report has 128.
  static let mostSinks = 65_536

  /// A number in a range, or `fallback` when `key` is absent.
  func count(
    _ key: String, in range: ClosedRange<Int>, default fallback: Int
  ) throws(ConfigurationError) -> Int {
    guard let value = value(key) else { return fallback }
    guard let number = value.int else {
      throw wrongType(key, "an integer", value)
    }
    guard range.contains(number) else {
      throw .outOfRange(
        key: name(key), value: "\(number)", expected: "\(range.lowerBound) to \(range.upperBound)",
        file: file)
    }
    return number
  }

  /// The mixer that an entry of `mixer` names.
  func mixer(_ kind: String) throws(ConfigurationError) -> Mixer {
    guard let mixer = try Mixer(kind: kind, from: self) else {
      throw .unsupported(
        key: "mixer", value: kind, reason: "known: \(Mixer.kinds.joined(separator: ", "))",
        file: file)
    }
    return mixer
  }

  /// The feed-forward parts that `ffn` lists; `size` is the width of dense ones.
  func feedForwards(size: Int) throws(ConfigurationError) -> [FeedForward] {
    let kinds = try strings("ffn") ?? []
    let experts = kinds.contains("moe") ? try experts(size: size) : nil
    return try kinds.map { (kind) throws(ConfigurationError) in
      if kind == "dense" { return .dense }
      guard kind == "moe", let experts else {
        throw .unsupported(key: "ffn", value: kind, reason: "known: dense, moe", file: file)
      }
      return .experts(experts)
    }
  }

  private func experts(size: Int) throws(ConfigurationError) -> FeedForward.Experts {
    guard value("num_experts") != nil else { throw .missingKey("num_experts", file: file) }
    let routed = try count("num_experts", in: 1...Self.mostExperts, default: 1)
    let chosen = try count("num_experts_per_tok", in: 1...Self.mostExperts, default: 1)
    guard chosen <= routed else {
      throw .inconsistent(
        "num_experts_per_tok (\(chosen)) is more than num_experts (\(routed))", file: file)
    }
    guard try !bool("norm_topk_prob", default: false) else {
      throw .unsupported(
        key: "norm_topk_prob", value: "true",
        reason: "the chosen experts' probabilities are used as they are", file: file)
    }
    let shared = try count("num_shared_experts", in: 0...Self.mostSharedExperts, default: 0)
    let sharedSize = try optionalSize("shared_expert_intermediate_size")
    guard shared > 0 || sharedSize == nil else {
      throw .inconsistent(
        "shared_expert_intermediate_size is \(sharedSize ?? 0) without a shared expert "
          + "(num_shared_experts)", file: file)
    }
    return FeedForward.Experts(
      routed: routed, shared: shared, chosen: chosen,
      size: try optionalSize("moe_intermediate_size") ?? size, sharedSize: sharedSize,
      weighting: try expertWeighting())
  }

  private func expertWeighting() throws(ConfigurationError) -> FeedForward.Experts.Weighting {
    guard value("routing_weights") != nil else { return .softmax }
    let name = try string("routing_weights")
    guard let weighting = FeedForward.Experts.Weighting(rawValue: name) else {
      throw .unsupported(
        key: "routing_weights", value: name, reason: "known: softmax, one", file: file)
    }
    return weighting
  }
}

extension Configuration: MixerParameters {
  public func window() throws(ConfigurationError) -> Mixer.Window {
    try SpikingBrainNames.window(self)
  }

  public func size(_ key: String, default usual: Int) throws(ConfigurationError) -> Int {
    try optionalSize(key) ?? usual
  }
}
