import Kernels
public import Mixers
public import TensorTypes

extension ModelDescription {
  /// A tensor the model consists of.
  public struct Requirement: Sendable, Equatable {
    /// What it is.
    public var address: TensorAddress
    /// Its logical shape.
    public var shape: Shape
    /// The one type it may be stored in; nil for any type of weights.
    public var type: ScalarType?
    /// What its mixer says of it; nil for what is no mixer's own.
    public var mixerTensor: MixerTensor?
  }

  /// Every tensor of the model with its shape, in the order checkpoints list them.
  public var requirements: [Requirement] {
    var all = [Requirement(.embedding, shape: [vocabularySize, hiddenSize])]
    if sinkCount > 0 { all.append(Requirement(.sinkTokens, shape: [sinkCount, hiddenSize])) }
    for layer in layers.indices { all += requirements(ofLayer: layer) }
    all.append(Requirement(.finalNorm, shape: [hiddenSize]))
    if !tiesEmbeddings { all.append(Requirement(.head, shape: [vocabularySize, hiddenSize])) }
    return all
  }

  /// The tensors of one layer, in the order checkpoints list them.
  public func requirements(ofLayer layer: Int) -> [Requirement] {
    var all: [Requirement] = []
    func norm(_ role: TensorAddress.Role, _ channels: Int, if exists: Bool = true) {
      if exists { all.append(Requirement(role, layer: layer, shape: [channels])) }
    }
    func linear(_ role: TensorAddress.Role, _ rows: Int, _ columns: Int, bias: Bool) {
      all += matrix(TensorAddress(role, layer: layer), [rows, columns])
      if bias { all.append(Requirement(role, .bias, layer: layer, shape: [rows])) }
    }
    norm(.mixerNorm, hiddenSize, if: normPlacement.isBefore)
    linear(.query, queryWidth, hiddenSize, bias: biases.queryKeyValue)
    linear(.key, keyValueWidth, hiddenSize, bias: biases.queryKeyValue)
    linear(.value, keyValueWidth, hiddenSize, bias: biases.queryKeyValue)
    linear(.output, hiddenSize, queryWidth, bias: biases.output)
    norm(.queryNorm, queryKeyNorm == .whole ? queryWidth : headDim, if: hasQueryKeyNorm)
    norm(.keyNorm, queryKeyNorm == .whole ? keyValueWidth : headDim, if: hasQueryKeyNorm)
    for tensor in mixerTensors(ofLayer: layer) {
      var own = Requirement(tensor.role, tensor.parameter, layer: layer, shape: tensor.shape)
      own.mixerTensor = tensor
      all.append(own)
    }
    norm(.mixerPostNorm, hiddenSize, if: normPlacement.isAfter)
    norm(.ffnNorm, hiddenSize, if: normPlacement.isBefore)
    all += feedForward(ofLayer: layer)
    norm(.ffnPostNorm, hiddenSize, if: normPlacement.isAfter)
    return all
  }

  /// The feed-forward tensors of one layer: dense, or router, routed experts and shared expert.
  private func feedForward(ofLayer layer: Int) -> [Requirement] {
    guard let experts = layers[layer].feedForward.experts else {
      return projections(ofLayer: layer, expert: nil, size: feedForwardSize)
    }
    var all = [Requirement(.router, layer: layer, shape: [experts.routed, hiddenSize])]
    for index in 0..<experts.routed {
      all += projections(ofLayer: layer, expert: .routed(index), size: experts.size)
    }
    if experts.shared > 0 {
      all += projections(ofLayer: layer, expert: .shared, size: experts.sharedSize)
    }
    return all
  }

  private func projections(
    ofLayer layer: Int, expert: TensorAddress.Expert?, size: Int
  ) -> [Requirement] {
    let maps: [(TensorAddress.Role, Shape)] = [
      (.ffnGate, [size, hiddenSize]), (.ffnUp, [size, hiddenSize]), (.ffnDown, [hiddenSize, size]),
    ]
    return maps.flatMap { role, shape in
      let weight = matrix(TensorAddress(role, layer: layer, expert: expert), shape)
      guard biases.feedForward else { return weight }
      return weight + [
        Requirement(
          address: TensorAddress(role, .bias, layer: layer, expert: expert), shape: [shape.rows])
      ]
    }
  }

  /// The number of parameters; scales of quantised weights are part of these.
  public var parameterCount: Int {
    requirements.reduce(0) { $0 + ($1.isParameter ? $1.count : 0) }
  }

  /// Takes the decay gates of linear layers as merged where `exists` finds a merged one: the form
  /// is not in the configuration, the tensors tell.
  public mutating func adoptMergedGates(exists: (TensorAddress) -> Bool) {
    for layer in layers.indices where layers[layer].mixer.form is GatedLinear {
      if exists(TensorAddress(.gateMerged, layer: layer)) {
        layers[layer].mixer = .gatedLinear(.merged)
      }
    }
  }

  /// Parameters that one token passes through: all but those of the experts it is not sent to.
  ///
  /// Embeddings count whole, as in the report's 11.9 B of 76 B.
  public var activeParameterCount: Int {
    let idle = layers.reduce(0) { total, layer in
      guard let experts = layer.feedForward.experts else { return total }
      let biases = biases.feedForward ? 2 * experts.size + hiddenSize : 0
      let each = 3 * experts.size * hiddenSize + biases
      return total + (experts.routed - experts.chosen) * each
    }
    return parameterCount - idle
  }

  /// The parameters by what they are, in a fixed order; parts the model does not have are left out.
  public var parameterParts: [(name: String, count: Int)] {
    let parameters = requirements.filter(\.isParameter)
    var names = Requirement.parts
    let counted = parameters.reduce(into: [String: Int]()) { parts, requirement in
      let part = requirement.part
      // Those of mixers stand behind, in the order in which they appear.
      if !names.contains(part) { names.append(part) }
      parts[part, default: 0] += requirement.count
    }
    return names.compactMap { name in counted[name].map { (name, $0) } }
  }

  /// The same model with all activations left as they are.
  public var unspiked: ModelDescription {
    var copy = self
    copy.spiking = nil
    return copy
  }

  /// The same model with every layer's mixer replaced by softmax attention over the last
  /// `window` tokens: what a conversion computes when its linear layers are switched off.
  ///
  /// For sequences that fit the window this is the source model, which is how `verify` proves
  /// names, order, biases and rotary conventions of the linear layers too.
  public func withAllLayers(_ mixer: Mixer) -> ModelDescription {
    var copy = self
    copy.sinkCount = 0
    copy.spiking = nil
    copy.layers = layers.map { $0.with(mixer) }
    return copy
  }
}

extension ModelDescription.Requirement {
  /// Whether it counts among the parameters.
  var isParameter: Bool { address.parameter != .scale }

  /// How many numbers it holds, two in a byte with codes of 4 bits.
  public var count: Int {
    (WeightCodes(type: type)?.perElement ?? 1) * (shape.elementCount ?? 0)
  }

  /// The parts that every decoder may have.
  static let parts = [
    "feed-forward", "embeddings", "attention", "routers", "sinks", MixerTensor.norms, "biases",
  ]

  /// What the tensor counts as: one of `parts`, or what its mixer says.
  var part: String {
    if address.parameter == .bias { return "biases" }
    if let mixerTensor { return mixerTensor.part }
    switch address.role {
    case .ffnGate, .ffnUp, .ffnDown: return "feed-forward"
    case .embedding, .head: return "embeddings"
    case .query, .key, .value, .output: return "attention"
    case .router: return "routers"
    case .sinkTokens: return "sinks"
    default: return MixerTensor.norms
    }
  }

  /// Whether it is the weight of a norm.
  public var isNorm: Bool { address.parameter == .weight && part == MixerTensor.norms }

  /// Whether nothing but zeros is what it starts as: some tensors of mixers, and the routers of an
  /// upcycled model.
  public var startsAtZero: Bool { address.role == .router || mixerTensor?.startsAtZero == true }

  /// As what its input can be spiked; nil where it never is.
  public var projection: SpikingSettings.Projection? {
    guard address.parameter == .weight else { return nil }
    return mixerTensor.map { SpikingSettings.Projection($0) }
      ?? SpikingSettings.Projection(address.role)
  }

  init(
    _ role: TensorAddress.Role, _ parameter: TensorAddress.Parameter = .weight, layer: Int? = nil,
    shape: Shape
  ) {
    self.init(address: TensorAddress(role, parameter, layer: layer), shape: shape)
  }
}
