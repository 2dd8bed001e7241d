public import TensorTypes

extension ModelDescription {
  /// A tensor the model consists of.
  public struct Requirement: Sendable, Equatable {
    /// What it is.
    public var address: TensorAddress
    /// Its logical shape.
    public var shape: Shape
  }

  /// Every tensor of the model with its shape, in the order checkpoints list them.
  public var requirements: [Requirement] {
    var all = [Requirement(.embedding, shape: [vocabularySize, hiddenSize])]
    for layer in layers.indices { all += requirements(ofLayer: layer) }
    all.append(Requirement(.finalNorm, shape: [hiddenSize]))
    if !tiesEmbeddings { all.append(Requirement(.head, shape: [vocabularySize, hiddenSize])) }
    return all
  }

  /// The tensors of one layer, in the order checkpoints list them.
  public func requirements(ofLayer layer: Int) -> [Requirement] {
    var all = [Requirement(.mixerNorm, layer: layer, shape: [hiddenSize])]
    func linear(_ role: TensorAddress.Role, _ rows: Int, _ columns: Int, bias: Bool) {
      all.append(Requirement(role, layer: layer, shape: [rows, columns]))
      if bias { all.append(Requirement(role, .bias, layer: layer, shape: [rows])) }
    }
    linear(.query, queryWidth, hiddenSize, bias: biases.queryKeyValue)
    linear(.key, keyValueWidth, hiddenSize, bias: biases.queryKeyValue)
    linear(.value, keyValueWidth, hiddenSize, bias: biases.queryKeyValue)
    linear(.output, hiddenSize, queryWidth, bias: biases.output)
    if hasQueryKeyNorm {
      all.append(Requirement(.queryNorm, layer: layer, shape: [headDim]))
      all.append(Requirement(.keyNorm, layer: layer, shape: [headDim]))
    }
    if case .gatedLinear(let gate) = layers[layer].mixer {
      switch gate {
      case .lowRank(let rank):
        linear(.gateLow, rank, hiddenSize, bias: false)
        linear(.gateHigh, keyValueWidth, rank, bias: true)
      case .merged:
        linear(.gateMerged, keyValueWidth, hiddenSize, bias: true)
      }
      all.append(Requirement(.outputNorm, layer: layer, shape: [headDim]))
    }
    all.append(Requirement(.ffnNorm, layer: layer, shape: [hiddenSize]))
    linear(.ffnGate, feedForwardSize, hiddenSize, bias: biases.feedForward)
    linear(.ffnUp, feedForwardSize, hiddenSize, bias: biases.feedForward)
    linear(.ffnDown, hiddenSize, feedForwardSize, bias: biases.feedForward)
    return all
  }

  /// The number of parameters.
  public var parameterCount: Int {
    requirements.reduce(0) { $0 + ($1.shape.elementCount ?? 0) }
  }

  /// Takes the decay gates of linear layers as merged where `exists` finds a merged one: the form
  /// is not in the configuration, the tensors tell.
  public mutating func adoptMergedGates(exists: (TensorAddress) -> Bool) {
    for layer in layers.indices where !layers[layer].mixer.isSoftmax {
      if exists(TensorAddress(.gateMerged, layer: layer)) {
        layers[layer].mixer = .gatedLinear(.merged)
      }
    }
  }

  /// Parameters that one token passes through; an embedding counts one row.
  public var activeParameterCount: Int {
    parameterCount - (tiesEmbeddings ? 0 : (vocabularySize - 1) * hiddenSize)
  }

  /// The same model with every layer's mixer replaced by softmax attention over the last
  /// `window` tokens: what a conversion computes when its linear layers are switched off.
  ///
  /// For sequences that fit the window this is the source model, which is how `verify` proves
  /// names, order, biases and rotary conventions of the linear layers too.
  public func withAllLayers(_ mixer: Mixer) -> ModelDescription {
    var copy = self
    copy.layers = layers.map { layer in
      var layer = layer
      layer.mixer = mixer
      return layer
    }
    return copy
  }
}

extension ModelDescription.Requirement {
  init(
    _ role: TensorAddress.Role, _ parameter: TensorAddress.Parameter = .weight, layer: Int? = nil,
    shape: Shape
  ) {
    self.init(address: TensorAddress(role, parameter, layer: layer), shape: shape)
  }
}
