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
    return address.expert != nil && configuration.object[key] != nil ? key : "intermediate_size"
  }

  /// What says how many experts there are.
  private var expertKey: String {
    configuration.object["num_local_experts"] == nil ? "num_experts" : "num_local_experts"
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
    case .ffnGate, .ffnUp, .ffnDown: return ["mlp_bias"]
    default: return ["attention_bias"]
    }
  }

  /// What says whether there is such a tensor, where it depends on the experts of its layer.
  private func expertKeys(_ address: TensorAddress) -> [String]? {
    let isFeedForward = [.ffnGate, .ffnUp, .ffnDown, .router].contains(address.role)
    guard let layer = address.layer, isFeedForward, address.parameter == .weight else { return nil }
    let isExpert = address.expert != nil || address.role == .router
    guard isExpert == (description.layers[layer].feedForward.experts != nil) else {
      return ["mlp_only_layers", "decoder_sparse_step"]
    }
    return isExpert ? [expertKey] : nil
  }
}
