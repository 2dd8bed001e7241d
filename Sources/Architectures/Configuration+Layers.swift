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

  /// The experts of a source, which has no shared ones.
  ///
  /// - Parameters:
  ///   - routed: how many there are where neither `num_experts` nor `num_local_experts` says it.
  ///   - chosen: how many of them a token passes through where `num_experts_per_tok` is absent.
  ///   - size: the width of one.
  ///   - isNormalized: whether weights are divided by their sum.
  func routedExperts(
    _ routed: Int, chosen: Int, size: Int, isNormalized: Bool
  ) throws(ConfigurationError) -> FeedForward.Experts {
    let keys = ["num_experts", "num_local_experts"].filter { value($0) != nil }
    let counts = try keys.map { (key) throws(ConfigurationError) in
      try count(key, in: 1...Self.mostExperts, default: routed)
    }
    guard Set(counts).count <= 1 else {
      throw .inconsistent(
        "\(name(keys[0])) is \(counts[0]) and \(name(keys[1])) \(counts[1])", file: file)
    }
    let (routed, chosen) = try expertCounts(counts.first ?? routed, chosen: chosen)
    return FeedForward.Experts(
      routed: routed, shared: 0, chosen: chosen, size: size,
      weighting: isNormalized ? .normalized : .softmax)
  }

  /// `routed` experts, and how many of them a token passes through.
  private func expertCounts(
    _ routed: Int, chosen: Int
  ) throws(ConfigurationError) -> (routed: Int, chosen: Int) {
    let chosen = try count("num_experts_per_tok", in: 1...Self.mostExperts, default: chosen)
    guard chosen <= routed else {
      throw .inconsistent(
        "\(name("num_experts_per_tok")) (\(chosen)) is more than \(name("num_experts")) (\(routed))",
        file: file)
    }
    return (routed, chosen)
  }

  private func experts(size: Int) throws(ConfigurationError) -> FeedForward.Experts {
    guard value("num_experts") != nil else { throw .missingKey("num_experts", file: file) }
    let (routed, chosen) = try expertCounts(
      count("num_experts", in: 1...Self.mostExperts, default: 1), chosen: 1)
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
    let isNormalized = try bool("norm_topk_prob", default: false)
    let name = value("routing_weights") == nil ? "softmax" : try string("routing_weights")
    switch name {
    case "softmax": return isNormalized ? .normalized : .softmax
    case "one" where isNormalized:
      throw .unsupported(
        key: "norm_topk_prob", value: "true", reason: "routing_weights is \"one\"", file: file)
    case "one": return .one
    default:
      throw .unsupported(
        key: "routing_weights", value: name, reason: "known: softmax, one", file: file)
    }
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
