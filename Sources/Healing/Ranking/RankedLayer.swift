import Architectures
import Kernels
import Recipes
import Runtime
import TensorTypes

/// One layer of a ranking: as it is, and as a linear layer.
struct RankedLayer {
  private let index: Int
  private let ranking: LayerRanking
  private let pass: LayerPass
  private var runner: LayerRunner { pass.runner }

  init(_ index: Int, of ranking: LayerRanking) throws {
    self.index = index
    self.ranking = ranking
    pass = LayerPass(
      index, of: ranking.model,
      weights: try LayerWeights(index, of: ranking.model, from: ranking.weights),
      segments: ranking.segments)
  }

  /// Takes the source's stream through the layer and keeps its attention output.
  func advance(_ source: HiddenStream, to next: HiddenStream, target: HiddenStream) throws {
    _ = try pass.advance(source, to: next, attention: target)
  }

  /// Takes a variant through the layer, in place.
  func advance(_ variant: HiddenStream) throws {
    for segment in ranking.segments.heldOut {
      let row = ranking.row(of: segment)
      let hidden = try variant.read(row, count: ranking.segments.length)
      if let output = try pass.attention(hidden) { hidden.add(output) }
      try runner.feedForward(hidden)
      try variant.write(hidden, at: row)
    }
  }

  /// Fits a linear layer to the attention output and starts the variant that has it; returns the
  /// held-out error of the fit.
  func replace(
    _ source: HiddenStream, target: HiddenStream, variant: HiddenStream
  ) throws -> Double {
    let settings = LayerRanking.settings, segments = ranking.segments
    let layer = try TrainableMixer(
      linearWeights(), of: .gatedLinear(.lowRank(1)), model: ranking.model,
      gateBias: settings.gateBias)
    let data = LayerData(
      index: index, model: ranking.model, runner: runner, student: source,
      sinks: FloatMatrix(rows: 0, columns: source.columns), target: target, segments: segments,
      massive: MassiveTokens(segments), sinkWeight: Float(settings.sinkWeight))
    let fit = try LayerTrainer(layer: layer, data: data, settings: settings)
      .run(steps: 0) { _, _ in }
    for segment in segments.heldOut {
      let hidden = try source.read(segments.firstToken(of: segment), count: segments.length)
      hidden.add(layer(runner.normed(hidden), segments: 1).value)
      try runner.feedForward(hidden)
      try variant.write(hidden, at: ranking.row(of: segment))
    }
    return fit.after
  }

  /// Drops the layer's mapped pages.
  func finish() { pass.discardWeights() }

  /// The layer's weights with a gate of rank 1 that is zero, so that the decay is its bias.
  private func linearWeights() throws -> LayerWeights {
    var model = ranking.model
    model.layers[index].mixer = .gatedLinear(.lowRank(1))
    var gate = HealedTensors()
    func set(
      _ role: TensorAddress.Role, _ kind: TensorAddress.Parameter, _ shape: Shape,
      filledWith value: Float = 0
    ) {
      let values = [Float](repeating: value, count: shape.elementCount ?? 0)
      gate.set(
        TensorAddress(role, kind, layer: index), to: MemoryStorage.view(values, shape: shape))
    }
    set(.gateLow, .weight, [1, model.hiddenSize])
    set(.gateHigh, .weight, [model.keyValueWidth, 1])
    set(.gateHigh, .bias, [model.keyValueWidth])
    set(.outputNorm, .weight, [model.headDim], filledWith: 1)
    return try LayerWeights(
      index, of: model, from: Overlay(tensors: gate, below: ranking.weights))
  }
}
