import Mixers
import StrictJSON
import TensorTypes

/// What the public 7B layout and our own share: tensor names and configuration keys.
package enum SpikingBrainNames {
  static let rows: [NameTable.Row] =
    [
      .init("model.embeddings.weight", .embedding),
      .init("model.sink_tokens", .sinkTokens),
      .init("model.layers.{layer}.attn_norm.weight", .mixerNorm),
    ]
    + HuggingFaceNames.projections("model.layers.{layer}.attn.", HuggingFaceNames.attention) + [
      .init("model.layers.{layer}.attn.q_norm.weight", .queryNorm),
      .init("model.layers.{layer}.attn.k_norm.weight", .keyNorm),
    ]
    + Mixer.names.map {
      .init("model.layers.{layer}.attn.\($0.name)", $0.role, $0.parameter)
    } + [
      .init("model.layers.{layer}.attn_post_norm.weight", .mixerPostNorm),
      .init("model.layers.{layer}.mlp_norm.weight", .ffnNorm),
      .init("model.layers.{layer}.mlp.gate.weight", .router),
    ]
    + HuggingFaceNames.projections(
      "model.layers.{layer}.mlp.experts.{expert}.", HuggingFaceNames.feedForward)
    + HuggingFaceNames.projections(
      "model.layers.{layer}.mlp.shared_expert.", HuggingFaceNames.feedForward, sharedExpert: true)
    + HuggingFaceNames.projections("model.layers.{layer}.mlp.", HuggingFaceNames.feedForward) + [
      .init("model.layers.{layer}.mlp_post_norm.weight", .ffnPostNorm),
      .init("model.norm.weight", .finalNorm),
      .init("lm_head.weight", .head),
      .init(ignored: "model.layers.{layer}.attn.rotary.inv_freq"),
    ]

  /// The window of the softmax layers; `window_rule` is our addition to the public keys.
  static func window(_ config: Configuration) throws(ConfigurationError) -> Mixer.Window {
    let size = try config.optionalSize("sliding_window") ?? 4096
    guard config.value("window_rule") != nil else { return Mixer.Window(size: size) }
    let name = try config.string("window_rule")
    guard let rule = Mixer.WindowRule(rawValue: name) else {
      throw .unsupported(
        key: "window_rule", value: name, reason: "known: report, flash", file: config.file)
    }
    return Mixer.Window(size: size, rule: rule)
  }

  /// The positions that the public model's configuration names, and every conversion's at least.
  package static let leastPositions = 131_072

  /// The configuration keys of the public layout, which ours extends.
  static func commonConfiguration(of model: ModelDescription) -> JSONObject {
    var config = JSONObject([
      ("vocab_size", .int(model.vocabularySize)),
      ("hidden_size", .int(model.hiddenSize)),
      ("num_hidden_layers", .int(model.layers.count)),
      ("attn_mode", "chunk"),
      ("num_attention_heads", .int(model.heads)),
      ("num_key_value_heads", .int(model.keyValueHeads)),
      ("use_short_conv", false),
      ("conv_size", 4),
      ("intermediate_size", .int(model.feedForwardSize)),
      ("hidden_act", "swish"),
      ("max_position_embeddings", .int(max(leastPositions, model.maximumPositions))),
      ("elementwise_affine", true),
      ("norm_eps", .double(model.normEpsilon)),
      ("rope_theta", .double(model.rotary.theta)),
      ("attention_dropout", 0.0),
      ("use_cache", true),
      ("bos_token_id", model.specialTokens.beginning.map { .int($0) } ?? .null),
      ("eos_token_id", tokens(model.specialTokens.end)),
      ("pad_token_id", model.specialTokens.padding.map { .int($0) } ?? .null),
      ("tie_word_embeddings", .bool(model.tiesEmbeddings)),
      ("fuse_cross_entropy", true),
    ])
    for window in model.layers.compactMap(\.mixer.window) {
      config["sliding_window"] = .int(window.size)
      if window.rule != .report { config["window_rule"] = .string(window.rule.rawValue) }
    }
    return config
  }

  /// Token ids as a configuration holds them.
  static func tokens(_ ids: [Int]) -> JSONValue {
    switch ids.count {
    case 0: .null
    case 1: .int(ids[0])
    default: .ints(ids)
    }
  }
}
