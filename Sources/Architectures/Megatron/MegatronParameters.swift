import Mixers
import TensorTypes

/// Builds the parameters of a model, with the names of Megatron-Core's Transformer Engine layers, and
/// ours for what it does not have.
struct MegatronParameters {
  let model: ModelDescription
  /// Rows of the embedding with padding.
  let vocabularyRows: Int

  private var hidden: Int { model.hiddenSize }

  /// Embedding and sinks.
  var beforeLayers: [MegatronParameter] {
    var all = [vocabulary(MegatronParameter.embeddingName, .embedding, stage: .first)]
    if model.sinkCount > 0 {
      all.append(
        MegatronParameter(
          name: "embedding.sink_embeddings.weight", shape: [model.sinkCount, hidden],
          pieces: [.init(address: TensorAddress(.sinkTokens), rows: 0..<model.sinkCount)],
          split: .replicated, stage: .first))
    }
    return all
  }

  /// Final norm and head. A tied head is stored only where the embedding is not: on the last of
  /// several stages.
  func afterLayers(hasStages: Bool) -> [MegatronParameter] {
    var all = [
      MegatronParameter(
        name: "decoder.final_layernorm.weight", shape: [hidden],
        pieces: [.init(address: TensorAddress(.finalNorm), rows: 0..<hidden)],
        split: .replicated, stage: .last)
    ]
    if !model.tiesEmbeddings || hasStages {
      var head = vocabulary(
        "output_layer.weight", model.tiesEmbeddings ? .embedding : .head, stage: .last)
      head.isCopy = model.tiesEmbeddings
      all.append(head)
    }
    return all
  }

  /// A matrix with a row per token, padded by repeating the last one as Megatron's converters do.
  private func vocabulary(
    _ name: String, _ role: TensorAddress.Role, stage: MegatronParameter.Stage
  ) -> MegatronParameter {
    let size = model.vocabularySize, address = TensorAddress(role)
    var pieces = [MegatronParameter.Piece(address: address, rows: 0..<size)]
    if vocabularyRows > size {
      pieces.append(
        .init(
          address: address, rows: size - 1..<size, copies: vocabularyRows - size, isPadding: true))
    }
    return MegatronParameter(
      name: name, shape: [vocabularyRows, hidden], pieces: pieces, split: .rows, stage: stage)
  }

  /// The parameters of one layer.
  func layer(_ layer: Int) throws(MegatronTopologyError) -> [MegatronParameter] {
    let norm = whole(
      "self_attention.linear_qkv.layer_norm_weight", .mixerNorm, layer, [hidden],
      otherNames: ["input_layernorm.weight"])
    return [norm] + attention(layer) + (try own(layer)) + feedForward(layer)
  }

  /// One of our tensors as it is.
  private func whole(
    _ name: String, _ role: TensorAddress.Role, _ layer: Int, _ shape: Shape,
    parameter: TensorAddress.Parameter = .weight, split: MegatronParameter.Split = .replicated,
    expert: TensorAddress.Expert? = nil, otherNames: [String] = []
  ) -> MegatronParameter {
    let address = TensorAddress(role, parameter, layer: layer, expert: expert)
    return MegatronParameter(
      name: name, otherNames: otherNames, layer: layer, expert: expert?.number, shape: shape,
      pieces: [.init(address: address, rows: 0..<(shape.dimensions.first ?? 1))], split: split,
      stage: .ofLayer)
  }

  /// q, k and v by groups: the queries of a group, its key head, its value head.
  private func packed(_ layer: Int, _ parameter: TensorAddress.Parameter) -> MegatronParameter {
    let d = model.headDim, queries = model.heads / model.keyValueHeads * d
    var pieces: [MegatronParameter.Piece] = []
    func add(_ role: TensorAddress.Role, _ group: Int, _ rows: Int) {
      let address = TensorAddress(role, parameter, layer: layer)
      pieces.append(.init(address: address, rows: group * rows..<(group + 1) * rows))
    }
    for group in 0..<model.keyValueHeads {
      add(.query, group, queries)
      add(.key, group, d)
      add(.value, group, d)
    }
    let rows = model.queryWidth + 2 * model.keyValueWidth
    return MegatronParameter(
      name: "self_attention.linear_qkv.\(parameter.rawValue)", layer: layer,
      shape: parameter == .bias ? [rows] : [rows, hidden], pieces: pieces, split: .rows,
      stage: .ofLayer)
  }

  private func attention(_ layer: Int) -> [MegatronParameter] {
    var all = [packed(layer, .weight)]
    if model.biases.queryKeyValue { all.append(packed(layer, .bias)) }
    if model.hasQueryKeyNorm {
      all.append(whole("self_attention.q_layernorm.weight", .queryNorm, layer, [model.headDim]))
      all.append(whole("self_attention.k_layernorm.weight", .keyNorm, layer, [model.headDim]))
    }
    all.append(
      whole(
        "self_attention.linear_proj.weight", .output, layer, [hidden, model.queryWidth],
        split: .columns))
    if model.biases.output {
      all.append(
        whole("self_attention.linear_proj.bias", .output, layer, [hidden], parameter: .bias))
    }
    return all
  }

  /// What Megatron has no name for is called as in our own layout: decay gates by key/value heads, norms
  /// of branches by heads.
  private func own(_ layer: Int) throws(MegatronTopologyError) -> [MegatronParameter] {
    try model.mixerTensors(ofLayer: layer).map { (tensor) throws(MegatronTopologyError) in
      guard let name = tensor.name else {
        throw .noName(TensorAddress(tensor.role, tensor.parameter, layer: layer))
      }
      return whole(
        "self_attention.\(name)", tensor.role, layer, tensor.shape, parameter: tensor.parameter,
        split: tensor.isByHead ? .rows : .replicated)
    }
  }

  private func feedForward(_ layer: Int) -> [MegatronParameter] {
    guard let experts = model.layers[layer].feedForward.experts else {
      let norm = whole(
        "mlp.linear_fc1.layer_norm_weight", .ffnNorm, layer, [hidden],
        otherNames: ["pre_mlp_layernorm.weight"])
      return [norm] + projections("mlp", layer, nil, model.feedForwardSize)
    }
    var all = [
      whole("pre_mlp_layernorm.weight", .ffnNorm, layer, [hidden]),
      whole("mlp.router.weight", .router, layer, [experts.routed, hidden]),
    ]
    for index in 0..<experts.routed {
      all += projections("mlp.experts", layer, .routed(index), experts.size)
    }
    if experts.shared > 0 {
      all += projections("mlp.shared_experts", layer, .shared, experts.sharedSize)
    }
    return all
  }

  /// fc1 is gate over up, fc2 is down.
  private func projections(
    _ prefix: String, _ layer: Int, _ expert: TensorAddress.Expert?, _ size: Int
  ) -> [MegatronParameter] {
    func others(_ name: String) -> [String] {
      guard expert?.number != nil else { return [] }
      return ["\(prefix).local_experts.\(MegatronParameter.expertPlace).\(name)"]
    }
    func gateAndUp(_ parameter: TensorAddress.Parameter) -> MegatronParameter {
      let gate = TensorAddress(.ffnGate, parameter, layer: layer, expert: expert)
      let up = TensorAddress(.ffnUp, parameter, layer: layer, expert: expert)
      return MegatronParameter(
        name: "\(prefix).linear_fc1.\(parameter.rawValue)",
        otherNames: others("linear_fc1.\(parameter.rawValue)"), layer: layer,
        expert: expert?.number, shape: parameter == .bias ? [2 * size] : [2 * size, hidden],
        pieces: [gate, up].map { .init(address: $0, rows: 0..<size) },
        split: .halves, stage: .ofLayer)
    }
    var all = [gateAndUp(.weight)]
    if model.biases.feedForward { all.append(gateAndUp(.bias)) }
    all.append(
      whole(
        "\(prefix).linear_fc2.weight", .ffnDown, layer, [hidden, size], split: .columns,
        expert: expert, otherNames: others("linear_fc2.weight")))
    if model.biases.feedForward {
      all.append(
        whole(
          "\(prefix).linear_fc2.bias", .ffnDown, layer, [hidden], parameter: .bias,
          expert: expert, otherNames: others("linear_fc2.bias")))
    }
    return all
  }
}

extension TensorAddress.Expert {
  /// The number of a routed expert.
  fileprivate var number: Int? {
    if case .routed(let index) = self { return index }
    return nil
  }
}
