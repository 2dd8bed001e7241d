import TensorTypes

/// The tensor names that Llama, Qwen and Mistral directories share, and what others make of them.
enum HuggingFaceNames {
  static let rows: [NameTable.Row] =
    [
      .init("model.embed_tokens.weight", .embedding),
      .init("model.layers.{layer}.input_layernorm.weight", .mixerNorm),
    ]
    + projections("model.layers.{layer}.self_attn.", attention) + [
      .init("model.layers.{layer}.post_attention_layernorm.weight", .ffnNorm)
    ]
    + projections("model.layers.{layer}.mlp.", feedForward) + [
      .init("model.norm.weight", .finalNorm),
      .init("lm_head.weight", .head),
      .init(ignored: "model.layers.{layer}.self_attn.rotary_emb.inv_freq"),
    ]

  static let attention: [(String, TensorAddress.Role)] = [
    ("q_proj", .query), ("k_proj", .key), ("v_proj", .value), ("o_proj", .output),
  ]

  static let feedForward: [(String, TensorAddress.Role)] = [
    ("gate_proj", .ffnGate), ("up_proj", .ffnUp), ("down_proj", .ffnDown),
  ]

  /// Norms of q and of k.
  static let queryKeyNorms: [NameTable.Row] = [
    .init("model.layers.{layer}.self_attn.q_norm.weight", .queryNorm),
    .init("model.layers.{layer}.self_attn.k_norm.weight", .keyNorm),
  ]

  /// A router, and the projections of the experts that it chooses from, in Qwen's words.
  static let experts: [NameTable.Row] =
    [.init("model.layers.{layer}.mlp.gate.weight", .router)]
    + projections("model.layers.{layer}.mlp.experts.{expert}.", feedForward)

  /// A weight row, a bias row and one for INT8 scales for each projection below `prefix`.
  static func projections(
    _ prefix: String, _ names: [(String, TensorAddress.Role)], sharedExpert: Bool = false
  ) -> [NameTable.Row] {
    names.flatMap { name, role in
      [
        NameTable.Row("\(prefix)\(name).weight", role, sharedExpert: sharedExpert),
        NameTable.Row("\(prefix)\(name).bias", role, .bias, sharedExpert: sharedExpert),
        NameTable.Row("\(prefix)\(name).weight_scale", role, .scale, sharedExpert: sharedExpert),
      ]
    }
  }

  /// The shared rows but those of `roles`, which an architecture names otherwise.
  static func rows(without roles: Set<TensorAddress.Role>) -> [NameTable.Row] {
    rows.filter { !$0.names(roles) }
  }

  /// A weight row and a bias row of a projection `name` that is several, one below the other.
  static func fused(_ name: String, _ roles: [TensorAddress.Role]) -> [NameTable.Row] {
    [.init("\(name).weight", pieces: roles), .init("\(name).bias", pieces: roles, .bias)]
  }
}
