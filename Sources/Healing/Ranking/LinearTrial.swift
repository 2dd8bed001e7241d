import Architectures
import Kernels
import Mixers
import Runtime
import StepSettings
import Streams
import TensorTypes

/// Tries every layer of a source as a linear layer: its attention is fitted in closed form, and a
/// variant of the model begins that has the fit in this layer alone. All variants so far pass
/// through each later layer with the source, so every weight is read once.
struct LinearTrial: LayerPass {
  let source: DescribedModel
  let segments: Segments

  /// The stream of the source as it is.
  var whole: Track { Track("source", of: source) }

  /// The held-out segments in the model that is linear in `layer`.
  func variant(_ layer: Int) -> Track {
    Track("variant\(layer)", of: source, segments: segments.heldOut)
  }

  var tracks: [Track] { [whole] }

  /// What was found of a layer.
  struct Report: LayerReport {
    var layer: Int
    /// Held-out squared error of the fitted attention output, relative to the source's.
    var error: Double
    var seconds = 0.0
  }

  func pass(_ layer: SweptLayer) throws -> Report {
    let own = try StreamedLayer(layer.index, of: source, on: segments)
    let target = try layer.scratch("target", columns: source.description.hiddenSize)
    try layer.advance(whole) { try own.run($0, $1, keepingIn: target) }
    let error = try begin(layer, own, target: target)
    for earlier in 0..<layer.index {
      try layer.advance(variant(earlier)) { try own.run($0, $1) }
    }
    own.discardWeights()
    try layer.progress(1)
    return Report(layer: layer.index, error: error)
  }

  /// Fits a linear layer to the attention output and begins the variant that has it; returns the
  /// held-out error of the fit.
  private func begin(
    _ layer: SweptLayer, _ own: StreamedLayer, target: HiddenStream
  ) throws -> Double {
    let settings = LayerRanking.settings
    let linear = TrainableMixer(
      try linearWeights(layer.index), model: source.description,
      gateBias: settings.gateBias)
    let stream = try layer.entering(whole)
    let data = LayerData(
      index: layer.index, model: source.description, runner: own.runner, student: stream,
      sinks: FloatMatrix(rows: 0, columns: stream.columns), target: target, segments: segments,
      massive: MassiveTokens(segments), sinkWeight: Float(settings.sinkWeight))
    let fit = try LayerTrainer(layer: linear, data: data, settings: settings)
      .run(steps: 0) { _, _ in }
    let next = try layer.leaving(variant(layer.index))
    try segments.advance(stream, to: next, only: segments.heldOut) { hidden, segment in
      hidden.add(linear(own.runner.normed(hidden), segments: 1).value)
      try own.feedForward(hidden, segment)
    }
    return fit.after
  }

  /// The layer's weights with a gate of rank 1 that is zero, so that the decay is its bias.
  private func linearWeights(_ layer: Int) throws -> LayerWeights {
    var model = source.description
    model.layers[layer].mixer = .gatedLinear(.lowRank(1))
    func constant(_ value: Float, _ shape: Shape) -> TensorView {
      MemoryStorage.view([Float](repeating: value, count: shape.elementCount ?? 0), shape: shape)
    }
    let gate = LayerTensors([
      TensorAddress(.gateLow, layer: layer): constant(0, [1, model.hiddenSize]),
      TensorAddress(.gateHigh, layer: layer): constant(0, [model.keyValueWidth, 1]),
      TensorAddress(.gateHigh, .bias, layer: layer): constant(0, [model.keyValueWidth]),
      TensorAddress(.outputNorm, layer: layer): constant(1, [model.headDim]),
    ])
    return try LayerWeights(layer, of: model, from: source.with(gate).weights)
  }

  /// Segments through each layer: the text as it is and for the fit, and the variants so far; then
  /// the comparison of what they predict.
  var schedule: Schedule? {
    let model = source.description, depth = model.layers.count, heldOut = segments.heldOut.count
    return Schedule(
      layers: (0..<depth).map { Double(2 * segments.count + ($0 + 1) * heldOut) },
      rest: model.headLayers * Double((depth + 1) * heldOut))
  }
}
