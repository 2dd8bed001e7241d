import Architectures
import StrictJSON
import TensorTypes

extension ModelFile {
  /// The keys of the configuration that `problem` hangs on, as the file calls them: those that call for
  /// a shape, or for a tensor at all.
  public func keys(of problem: StructureProblem) -> [String] {
    let keys: [String]
    switch problem {
    case .shape(let name, _, _, _):
      keys = names.match(name).addresses.flatMap(sizeKeys)
    case .missing(let name, _), .unexpected(let name, _, _):
      keys = names.match(name).addresses.flatMap(presenceKeys)
    default: keys = []
    }
    return keys.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
      .map(configuration.name)
  }

  /// What the dimensions of a tensor come from.
  private func sizeKeys(_ address: TensorAddress) -> [String] {
    // What an absent head_dim means is a number of its own in some classes.
    let isDerived =
      configuration.object["head_dim"] == nil
      && description.headDim == description.hiddenSize / description.heads
    let headDim = isDerived ? "num_attention_heads" : "head_dim"
    let isWholeNorm = description.queryKeyNorm == .whole
    let rows: [String]
    switch address.role {
    case .embedding, .head: rows = ["vocab_size"]
    case .query: rows = ["num_attention_heads", headDim]
    case .key, .value: rows = ["num_key_value_heads", headDim]
    case .queryNorm where isWholeNorm: return sizeKeys(TensorAddress(.query, .bias, layer: 0))
    case .keyNorm where isWholeNorm: return sizeKeys(TensorAddress(.key, .bias, layer: 0))
    case .router: return [expertKey, "hidden_size"]
    case .ffnGate, .ffnUp: rows = [widthKey(address)]
    case .output:
      rows = ["num_attention_heads", headDim]
      if address.parameter == .bias { return ["hidden_size"] }
    case .ffnDown:
      return address.parameter == .bias ? ["hidden_size"] : ["hidden_size", widthKey(address)]
    case .queryNorm, .keyNorm, .outputNorm: return [headDim]
    case .mixerNorm, .ffnNorm, .mixerPostNorm, .ffnPostNorm, .finalNorm: return ["hidden_size"]
    default: return []
    }
    let own = rows.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    return address.parameter == .bias ? own : own + ["hidden_size"]
  }

  /// What says how wide a feed-forward part is.
  private func widthKey(_ address: TensorAddress) -> String {
    let key = "moe_intermediate_size"
    let isOwn = configuration.object[key] != nil || architecture == Qwen3MoE.self
    return address.expert != nil && isOwn ? key : "intermediate_size"
  }

  /// What says how many experts there are.
  private var expertKey: String {
    let isLocal =
      configuration.object["num_experts"] == nil
      && (configuration.object["num_local_experts"] != nil || architecture == Mixtral.self)
    return isLocal ? "num_local_experts" : "num_experts"
  }

  /// What says whether there is such a tensor.
  private func presenceKeys(_ address: TensorAddress) -> [String] {
    if let layer = address.layer {
      let isKnown = heldLayers.contains(layer) && layer < description.layers.count
      guard isKnown else { return ["num_hidden_layers"] }
    }
    guard architecture.isSource else { return [] }
    if address.role == .head { return ["tie_word_embeddings"] }
    if let keys = expertKeys(address) { return keys }
    guard address.parameter == .bias else { return [] }
    switch address.role {
    case .output where architecture == SeedOss.self: return ["attention_out_bias"]
    case .ffnGate, .ffnUp, .ffnDown: return ["mlp_bias"]
    default: return ["attention_bias"]
    }
  }

  /// What says whether there is such a tensor, where layers may have experts; nil where none may.
  private func expertKeys(_ address: TensorAddress) -> [String]? {
    let isFeedForward = [.ffnGate, .ffnUp, .ffnDown, .router].contains(address.role)
    func has(_ role: TensorAddress.Role) -> Bool {
      names.name(of: TensorAddress(role, layer: address.layer)) != nil
    }
    guard isFeedForward, address.parameter == .weight, has(.router) else { return nil }
    let isExpert = address.expert != nil || address.role == .router
    // Which layers have them, where not all do.
    let layers = has(.ffnGate) ? ["mlp_only_layers", "decoder_sparse_step"] : []
    return (isExpert ? [expertKey] : []) + layers
  }
}
