package import Architectures
package import Kernels
package import Mixers
package import TensorTypes

/// The weights of one layer: matrices in place, vectors as f32.
package struct LayerWeights {
  /// Which layer.
  package let index: Int
  /// Norms in front of the mixer and of the feed-forward part [H]; empty where the model has none.
  package let mixerNorm: [Float], ffnNorm: [Float]
  /// Norms behind them [H]; nil where the model has none.
  package let mixerPostNorm: [Float]?, ffnPostNorm: [Float]?
  package let query: LinearMap
  package let key: LinearMap
  package let value: LinearMap
  package let output: LinearMap
  package let queryNorm: [Float]?
  package let keyNorm: [Float]?
  /// What lies between q, k, v and o.
  package let mixer: any MixerLayer
  /// The mixer's own matrices.
  private let mixerMaps: [LinearMap]
  package let feedForward: FeedForwardWeights

  /// The weights of layer `layer` of `model`.
  ///
  /// - Parameters:
  ///   - dropsPages: drop mapped pages after each single use, for layers that are larger than the
  ///     memory allowed.
  ///   - observer: shown what every projection reads.
  package init(
    _ layer: Int, of model: ModelDescription, from source: any WeightSource,
    dropsPages: Bool = false, observer: (any SpikingObserver)? = nil
  ) throws {
    func spiking(
      _ projection: SpikingSettings.Projection?, expert: TensorAddress.Expert? = nil
    ) -> SpikingInput? {
      projection.flatMap {
        SpikingInput(
          at: SpikingSite(layer: layer, $0, expert: expert), of: model, observer: observer)
      }
    }
    func norm(_ role: TensorAddress.Role) throws -> [Float] {
      try source.norm(TensorAddress(role, layer: layer), of: model)
    }
    func linear(
      _ role: TensorAddress.Role, bias: Bool, expert: TensorAddress.Expert? = nil,
      as projection: SpikingSettings.Projection? = nil
    ) throws -> LinearMap {
      let address = TensorAddress(role, layer: layer, expert: expert)
      let weight = try source.view(address), origin = TensorOrigin(address, in: source)
      let bias =
        bias ? try source.vector(TensorAddress(role, .bias, layer: layer, expert: expert)) : nil
      let input = spiking(projection ?? .init(role), expert: expert)
      guard let quantization = model.quantization(of: address) else {
        return LinearMap(
          weight: weight, bias: bias, dropsPages: dropsPages, input: input, origin: origin)
      }
      let scales = try source.vector(TensorAddress(role, .scale, layer: layer, expert: expert))
      return LinearMap(
        quantized: QuantizedWeight(codes: weight, scales: scales, quantization), bias: bias,
        dropsPages: dropsPages, input: input, origin: origin)
    }
    func swiGLU(_ expert: TensorAddress.Expert? = nil) throws -> SwiGLUWeights {
      let bias = model.biases.feedForward
      return SwiGLUWeights(
        activation: model.activation,
        gate: try linear(.ffnGate, bias: bias, expert: expert),
        up: try linear(.ffnUp, bias: bias, expert: expert),
        down: try linear(.ffnDown, bias: bias, expert: expert))
    }
    index = layer
    let placement = model.normPlacement
    mixerNorm = placement.isBefore ? try norm(.mixerNorm) : []
    ffnNorm = placement.isBefore ? try norm(.ffnNorm) : []
    mixerPostNorm = placement.isAfter ? try norm(.mixerPostNorm) : nil
    ffnPostNorm = placement.isAfter ? try norm(.ffnPostNorm) : nil
    query = try linear(.query, bias: model.biases.queryKeyValue)
    key = try linear(.key, bias: model.biases.queryKeyValue)
    value = try linear(.value, bias: model.biases.queryKeyValue)
    output = try linear(.output, bias: model.biases.output)
    queryNorm = model.hasQueryKeyNorm ? try norm(.queryNorm) : nil
    keyNorm = model.hasQueryKeyNorm ? try norm(.keyNorm) : nil
    let form = model.layers[layer].mixer.form
    var rotatedQuery: (@Sendable (FloatMatrix) -> FloatMatrix?)?
    if form.hasCache, let spiking = spiking(.rotatedQuery) {
      rotatedQuery = { spiking($0, heads: model.heads) }
    }
    let own = form.tensors(in: model.mixing)
    let tensors = OwnTensors(
      layer: layer, source: source,
      map: { role, bias in
        let tensor = own.first { $0.role == role && $0.parameter == .weight }
        return try linear(role, bias: bias, as: tensor.flatMap { SpikingSettings.Projection($0) })
      }, rotatedQuery: rotatedQuery)
    mixer = try form.layer(in: model.mixing, from: tensors)
    mixerMaps = tensors.maps
    guard let experts = model.layers[layer].feedForward.experts else {
      feedForward = .dense(try swiGLU())
      return
    }
    feedForward = .experts(
      ExpertWeights(
        layout: experts, router: try linear(.router, bias: false),
        routed: try (0..<experts.routed).map { try swiGLU(.routed($0)) },
        shared: experts.shared > 0 ? try swiGLU(.shared) : nil))
  }

  private var maps: [LinearMap] {
    [query, key, value, output] + mixerMaps + feedForward.maps
  }

  /// q, k and v of the normed inputs [T, H], with their biases and norms.
  package func projections(of input: FloatMatrix, epsilon: Double) throws -> Projections {
    let heads = Projections(
      query: try query(input), key: try key(input), value: try value(input))
    if let queryNorm { heads.query.normalizeHeads(by: queryNorm, epsilon: epsilon) }
    if let keyNorm { heads.key.normalizeHeads(by: keyNorm, epsilon: epsilon) }
    return heads
  }

  /// Stored bytes of this layer's matrices.
  package var byteCount: Int { maps.reduce(0) { $0 + $1.weight.bytes.count } }

  /// Throws when one of the matrices holds a number that is not finite; vectors were looked at when
  /// they were read.
  package func requireFinite() throws { for map in maps { try map.requireFinite() } }

  /// Drops the mapped pages of this layer's matrices.
  package func discard() { for map in maps { map.weight.discard() } }
}

/// The tensors that a mixer asks for, and the maps among them.
private final class OwnTensors: MixerTensors {
  private let layer: Int
  private let source: any WeightSource
  private let linear: (TensorAddress.Role, Bool) throws -> LinearMap
  let rotatedQuery: (@Sendable (FloatMatrix) -> FloatMatrix?)?
  /// The maps that were asked for.
  private(set) var maps: [LinearMap] = []

  init(
    layer: Int, source: any WeightSource,
    map: @escaping (TensorAddress.Role, Bool) throws -> LinearMap,
    rotatedQuery: (@Sendable (FloatMatrix) -> FloatMatrix?)?
  ) {
    self.layer = layer
    self.source = source
    linear = map
    self.rotatedQuery = rotatedQuery
  }

  func map(_ role: TensorAddress.Role, bias: Bool) throws -> any Projection {
    let map = try linear(role, bias)
    maps.append(map)
    return map
  }

  func vector(_ role: TensorAddress.Role) throws -> [Float] {
    try source.vector(TensorAddress(role, layer: layer))
  }
}

extension WeightSource {
  /// A small tensor as f32 values; throws when one is not finite.
  package func vector(_ address: TensorAddress) throws -> [Float] {
    let view = try view(address), matrix = FloatMatrix(decoding: view), values = matrix.values
    if let index = matrix.firstNotFinite() {
      throw RuntimeError.weight(
        name(of: address), value: values[index],
        index: "[\(index / view.columns), \(index % view.columns)]")
    }
    return values
  }
}
