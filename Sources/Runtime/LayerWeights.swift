package import Architectures
import Kernels
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
  /// What happens to rotated queries, each head by itself; nil for nothing.
  package let rotatedQuery: SpikingInput?
  package let queryNorm: [Float]?
  package let keyNorm: [Float]?
  package let gate: Gate?
  package let outputNorm: [Float]?
  /// The norms that merge parallel branches.
  package let branches: Branches?
  package let feedForward: FeedForwardWeights

  /// The per-head norms of both branches [heads, d], multiplied by the branch's factor.
  package struct Branches {
    package let linear: [Float]
    package let softmax: [Float]
  }

  /// The decay gate of a linear layer: one map, or two in a row.
  package struct Gate {
    package let low: LinearMap?
    package let high: LinearMap
  }

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
    func vector(
      _ role: TensorAddress.Role, _ parameter: TensorAddress.Parameter = .weight
    ) throws -> [Float] {
      try source.vector(TensorAddress(role, parameter, layer: layer))
    }
    func norm(_ role: TensorAddress.Role) throws -> [Float] {
      try source.norm(TensorAddress(role, layer: layer), of: model)
    }
    func linear(
      _ role: TensorAddress.Role, bias: Bool, expert: TensorAddress.Expert? = nil
    ) throws -> LinearMap {
      let address = TensorAddress(role, layer: layer, expert: expert)
      let weight = try source.view(address), origin = TensorOrigin(address, in: source)
      let bias =
        bias ? try source.vector(TensorAddress(role, .bias, layer: layer, expert: expert)) : nil
      let input = spiking(.init(role), expert: expert)
      guard let granularity = model.scales(of: address) else {
        return LinearMap(
          weight: weight, bias: bias, dropsPages: dropsPages, input: input, origin: origin)
      }
      let scales = try source.vector(TensorAddress(role, .scale, layer: layer, expert: expert))
      return LinearMap(
        int8: Int8Weight(codes: weight, scales: scales, granularity: granularity), bias: bias,
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
    rotatedQuery = model.layers[layer].mixer.isSoftmax ? spiking(.rotatedQuery) : nil
    queryNorm = model.hasQueryKeyNorm ? try norm(.queryNorm) : nil
    keyNorm = model.hasQueryKeyNorm ? try norm(.keyNorm) : nil
    switch model.layers[layer].mixer {
    case .full, .window, .parallel:
      gate = nil
      outputNorm = nil
    case .gatedLinear(.lowRank):
      gate = Gate(
        low: try linear(.gateLow, bias: false), high: try linear(.gateHigh, bias: true))
      outputNorm = try vector(.outputNorm)
    case .gatedLinear(.merged):
      gate = Gate(low: nil, high: try linear(.gateMerged, bias: true))
      outputNorm = try vector(.outputNorm)
    }
    if model.layers[layer].mixer.isParallel {
      let scale = try vector(.branchScale)
      branches = Branches(
        linear: try vector(.linearNorm).map { $0 * scale[0] },
        softmax: try vector(.softmaxNorm).map { $0 * scale[1] })
    } else {
      branches = nil
    }
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
    [query, key, value, output, gate?.low, gate?.high].compactMap(\.self) + feedForward.maps
  }

  /// Stored bytes of this layer's matrices.
  package var byteCount: Int { maps.reduce(0) { $0 + $1.weight.bytes.count } }

  /// Throws when one of the matrices holds a number that is not finite; vectors were looked at when
  /// they were read.
  package func requireFinite() throws { for map in maps { try map.requireFinite() } }

  /// Drops the mapped pages of this layer's matrices.
  package func discard() { for map in maps { map.weight.discard() } }
}

extension WeightSource {
  /// A small tensor as f32 values; throws when one is not finite.
  package func vector(_ address: TensorAddress) throws -> [Float] {
    let view = try view(address), values = view.floats
    if let index = Vector.firstNotFinite(values, count: values.count) {
      throw RuntimeError.weight(
        name(of: address), value: values[index],
        index: "[\(index / view.columns), \(index % view.columns)]")
    }
    return values
  }
}

extension TensorView {
  /// All elements as f32 values, row-major.
  package var floats: [Float] {
    let count = rows * columns
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let start = buffer.baseAddress {
        RowDecoder.decode(self, rows: 0..<rows, into: start)
      }
      initialized = count
    }
  }
}
