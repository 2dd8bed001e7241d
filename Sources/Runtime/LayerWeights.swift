package import Architectures
package import Kernels
package import TensorTypes

/// A linear map y = x Wᵀ + b, its weight seen in place.
package struct LinearMap {
  package let weight: TensorView
  package let bias: [Float]?
  /// The weight with its scales when it is in INT8.
  package let int8: Int8Weight?
  /// Whether the mapped pages of the weight are dropped after each use, a block of rows at a time.
  let dropsPages: Bool
  /// What happens to the input first; nil for nothing.
  let input: SpikingInput?

  package init(
    weight: TensorView, bias: [Float]?, dropsPages: Bool = false, input: SpikingInput? = nil
  ) {
    self.weight = weight
    self.bias = bias
    int8 = nil
    self.dropsPages = dropsPages
    self.input = input
  }

  /// A map with a weight in INT8.
  package init(
    int8 weight: Int8Weight, bias: [Float]?, dropsPages: Bool = false, input: SpikingInput? = nil
  ) {
    self.weight = weight.codes
    self.bias = bias
    int8 = weight
    self.dropsPages = dropsPages
    self.input = input
  }

  /// Weight bytes in memory at a time when pages are dropped.
  private static let block = 32 << 20

  /// Applies the map to every row of `input`, spiked if the model says so.
  package func callAsFunction(_ input: FloatMatrix, into output: FloatMatrix) {
    switch self.input?(input, for: self) ?? .floats(input) {
    case .floats(let values): multiply(values, into: output)
    case .counts(let spikes): multiply(spikes, into: output)
    }
  }

  /// Applies the map to every row of `input` as it is.
  package func multiply(_ input: FloatMatrix, into output: FloatMatrix) {
    withExtendedLifetime((input, output)) {
      forEachBlock { rows, bias in
        let target = output.pointer + rows.lowerBound, stride = weight.shape.rows
        if let int8 {
          Int8Linear.apply(
            int8.slice(rows: rows), bias: bias, input: input.pointer, tokens: input.rows,
            output: target, outputStride: stride)
        } else {
          Linear.apply(
            weight: blocks.count == 1 ? weight : weight.slice(rows: rows), bias: bias,
            input: input.pointer, tokens: input.rows, output: target, outputStride: stride)
        }
      }
    }
  }

  /// Applies a map in INT8 to spike counts, by integer arithmetic.
  func multiply(_ spikes: SpikeMatrix, into output: FloatMatrix) {
    guard let int8 else { preconditionFailure("counts need a weight in INT8") }
    withExtendedLifetime(output) {
      forEachBlock { rows, bias in
        Int8Linear.applyCounts(
          int8.slice(rows: rows), bias: bias, counts: spikes.counts,
          thresholds: spikes.thresholds, tokens: spikes.thresholds.count,
          output: output.pointer + rows.lowerBound, outputStride: weight.shape.rows)
      }
    }
  }

  /// Calls `body` with ranges of outputs and their biases; all at once unless pages are dropped.
  private func forEachBlock(_ body: (Range<Int>, UnsafePointer<Float>?) -> Void) {
    for rows in blocks {
      if let bias {
        bias.withUnsafeBufferPointer { bias in
          body(rows, bias.baseAddress.map { $0 + rows.lowerBound })
        }
      } else {
        body(rows, nil)
      }
      if dropsPages { (blocks.count == 1 ? weight : weight.slice(rows: rows)).discard() }
    }
  }

  private var blocks: [Range<Int>] {
    let rows = weight.shape.rows
    guard dropsPages, weight.rowOrder == .stored, rows > 0 else { return [0..<rows] }
    let step = max(1, Self.block / max(weight.rowBytes, 1))
    return stride(from: 0, to: rows, by: step).map { $0..<min($0 + step, rows) }
  }

  /// Applies the map into a new matrix.
  package func callAsFunction(_ input: FloatMatrix) -> FloatMatrix {
    let output = FloatMatrix(rows: input.rows, columns: weight.shape.rows)
    self(input, into: output)
    return output
  }
}

/// The weights of one layer: matrices in place, vectors as f32.
package struct LayerWeights {
  package let mixerNorm: [Float]
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
  package let ffnNorm: [Float]
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
    func linear(
      _ role: TensorAddress.Role, bias: Bool, expert: TensorAddress.Expert? = nil
    ) throws -> LinearMap {
      let address = TensorAddress(role, layer: layer, expert: expert)
      let weight = try source.view(address)
      let bias =
        bias ? try source.vector(TensorAddress(role, .bias, layer: layer, expert: expert)) : nil
      let input = spiking(.init(role), expert: expert)
      guard let granularity = model.scales(of: address) else {
        return LinearMap(weight: weight, bias: bias, dropsPages: dropsPages, input: input)
      }
      let scales = try source.vector(TensorAddress(role, .scale, layer: layer, expert: expert))
      return LinearMap(
        int8: Int8Weight(codes: weight, scales: scales, granularity: granularity), bias: bias,
        dropsPages: dropsPages, input: input)
    }
    func swiGLU(_ expert: TensorAddress.Expert? = nil) throws -> SwiGLUWeights {
      let bias = model.biases.feedForward
      return SwiGLUWeights(
        gate: try linear(.ffnGate, bias: bias, expert: expert),
        up: try linear(.ffnUp, bias: bias, expert: expert),
        down: try linear(.ffnDown, bias: bias, expert: expert))
    }
    mixerNorm = try vector(.mixerNorm)
    query = try linear(.query, bias: model.biases.queryKeyValue)
    key = try linear(.key, bias: model.biases.queryKeyValue)
    value = try linear(.value, bias: model.biases.queryKeyValue)
    output = try linear(.output, bias: model.biases.output)
    rotatedQuery = model.layers[layer].mixer.isSoftmax ? spiking(.rotatedQuery) : nil
    queryNorm = model.hasQueryKeyNorm ? try vector(.queryNorm) : nil
    keyNorm = model.hasQueryKeyNorm ? try vector(.keyNorm) : nil
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
    ffnNorm = try vector(.ffnNorm)
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

  /// Drops the mapped pages of this layer's matrices.
  package func discard() { for map in maps { map.weight.discard() } }
}

extension WeightSource {
  /// A small tensor as f32 values.
  package func vector(_ address: TensorAddress) throws -> [Float] {
    try view(address).floats
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
