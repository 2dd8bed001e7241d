import Architectures
import Foundations
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
      let output = linear(own.runner.normed(hidden), segments: 1).value
      hidden.add(own.runner.finished(attention: output))
      try own.feedForward(hidden, segment)
    }
    return fit.after
  }

  /// What a layer is tried as: its gate starts at zero whatever its rank, so that the decay is the bias
  /// alone.
  private static let mixer = Mixer.gatedLinear(.lowRank(1))

  /// The layer's weights with the tried mixer's own tensors as they start.
  private func linearWeights(_ layer: Int) throws -> LayerWeights {
    var model = source.description
    model.layers[layer].mixer = Self.mixer
    var own = LayerTensors()
    for tensor in model.mixerTensors(ofLayer: layer) {
      let address = TensorAddress(tensor.role, tensor.parameter, layer: layer)
      own.set(
        address, to: MemoryStorage.view(Self.values(tensor, "\(address)"), shape: tensor.shape))
    }
    return try LayerWeights(layer, of: model, from: source.with(own).weights)
  }

  /// What a tensor starts as where no conversion says it: settings are what changes nothing, and the
  /// bias of gates is given to the layer that is trained.
  private static func values(_ tensor: MixerTensor, _ label: String) -> [Float] {
    let count = tensor.shape.elementCount ?? 0
    switch tensor.initial {
    case .constant(let value): return [Float](repeating: Float(value), count: count)
    case .setting(.gateBias): return [Float](repeating: 0, count: count)
    case .setting(.branchNormWeight), .setting(.branchScale):
      return [Float](repeating: 1, count: count)
    case .uniform:
      var generator = SplitMix64(seed: 0, label: label)
      let bound = 1 / Double(tensor.shape.columns).squareRoot()
      return (0..<count).map { _ in generator.symmetric(bound) }
    }
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
