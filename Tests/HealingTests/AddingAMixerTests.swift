import Architectures
import Foundations
import Kernels
import ModelFiles
import Runtime
import Streams
import TensorTypes
import TestSupport
import Testing

@testable import Healing
@testable import Mixers

/// The mixer that docs/extending.md adds: linear attention whose heads forget at fixed rates.
struct Retention: MixerForm {
  static let kinds = ["retention"]
  static let names = [MixerTensor.Name("g_norm.weight", .outputNorm)]

  static func mixer<Failure>(
    kind: String, from parameters: some MixerParameters<Failure>
  ) throws(Failure) -> Mixer { Mixer(Retention()) }

  let kind = "retention", key = "retention", description = "retention layers"
  let hasCache = false, hasMemory = true

  func memoryCount(in model: MixerModel) -> Int { GatedLinearAttention.stateCount(model.layout) }

  func tensors(in model: MixerModel) -> [MixerTensor] {
    [.init(.outputNorm, shape: [model.layout.valueDimension], initial: .constant(1))]
  }

  func layer(in model: MixerModel, from tensors: some MixerTensors) throws -> any MixerLayer {
    RetentionLayer(model: model, norm: try tensors.vector(.outputNorm))
  }
}

/// A state that key/value head h multiplies by exp(-2^(-5 - h)) before it adds a token.
struct RetentionLayer: MixerLayer {
  let model: MixerModel
  let norm: [Float]

  func mix(
    _ heads: Projections, input: FloatMatrix, state: inout MixerState, pass: MixerPass
  ) -> FloatMatrix? {
    if pass.ablation == .linear { return nil }
    let output = inputs(heads).next(model.layout, memory: &state.memory, pass: pass)
    output.normalizeHeads(by: norm, epsilon: model.normEpsilon)
    return output
  }

  func inputs(_ heads: Projections) -> GatedLinearInputs {
    let logDecay = heads.key.unset, d = model.layout.keyDimension
    for row in 0..<logDecay.rows {
      for column in 0..<logDecay.columns {
        logDecay[row][column] = -Float(sign: .plus, exponent: -5 - column / d, significand: 1)
      }
    }
    return GatedLinearInputs(heads: heads, logDecay: logDecay)
  }

  func training(rotary: RotaryEmbedding?, gateBias: Double?) -> any MixerTraining {
    RetentionTraining(layer: self, norm: Parameter(.outputNorm, .weight, norm))
  }
}

/// The same with gradients.
struct RetentionTraining: MixerTraining {
  let layer: RetentionLayer
  let norm: Parameter

  var parameters: [Parameter] { [norm] }

  func mix(_ heads: Projections, input: FloatMatrix, segments: Int) -> MixedHeads {
    let layout = layer.model.layout, epsilon = layer.model.normEpsilon
    let inputs = layer.inputs(heads)
    let unnormed = inputs.whole(layout, segments: segments)
    let features = unnormed.copy
    features.normalizeHeads(by: norm.values, epsilon: epsilon)
    return MixedHeads(features: features) { gradient, _ in
      let below = unnormed.unset
      unnormed.normBackward(
        weight: norm.values, epsilon: epsilon, gradient: gradient, into: below,
        weightGradient: norm.gradientIfTrained)
      return inputs.backward(layout, segments: segments, outputGradient: below).0
    }
  }
}

@Suite struct AddingAMixerTests {
  private static let segments = 2, length = 9

  /// A model of whose layers the first is a sample, with weights of its own.
  private func sample() throws -> (model: ModelDescription, weights: TensorsAlone) {
    let directory = try TemporaryDirectory()
    try TinyModel.qwen3.synthesize(to: directory("source"))
    var model = try ModelFile.open(directory("source")).description
    model.layers[0].mixer = Mixer(Retention())
    var generator = SplitMix64(seed: 1)
    let tensors = model.requirements.map { requirement in
      let count = requirement.shape.elementCount ?? 0
      let values = (0..<count).map { _ in generator.symmetric(0.5) + (count < 200 ? 1 : 0) }
      return (requirement.address, MemoryStorage.view(values, shape: requirement.shape))
    }
    return (model, TensorsAlone(tensors: LayerTensors(Dictionary(uniqueKeysWithValues: tensors))))
  }

  @Test func `runs, token by token as all at once, and its state is saved and restored`() throws {
    let (description, weights) = try sample()
    let model = try Model(description, weights: weights)
    let tokens = (0..<12).map { ($0 * 37 + 5) % description.vocabularySize }
    var whole = DecodingState(for: description), single = whole
    let expected = try model.extend(&whole, with: tokens)
    var last: FloatMatrix?
    for (index, token) in tokens.enumerated() {
      last = try model.extend(&single, with: [token])
      if index == 6 {
        let saved = single.saved
        single = try #require(DecodingState(for: description, saved: saved, position: 7))
      }
    }
    let found = try #require(last).values
    for (a, b) in zip(found, expected.rows(11..<12).values) {
      #expect(abs(a - b) < 1e-4 * (1 + abs(b)))
    }
    #expect(single.layers[0].cache == nil && !single.layers[0].memory.isEmpty)
    #expect(description.key.contains("layer 0 retention"))
    #expect(!description.spikingSites(ofLayer: 0).contains { $0.projection == .rotatedQuery })
  }

  @Test func `is trained: the runtime's features, and gradients that central differences confirm`()
    throws
  {
    let (model, source) = try sample()
    let weights = try LayerWeights(0, of: model, from: source)
    let layer = TrainableMixer(weights, model: model, gateBias: nil)
    var generator = SplitMix64(seed: 2)
    func random() -> FloatMatrix {
      let rows = Self.segments * Self.length
      return FloatMatrix(
        (0..<rows * model.hiddenSize).map { _ in generator.symmetric(1) }, rows: rows)
    }
    let batch = LayerData.Batch(
      input: random(), target: random(),
      weights: [Float](repeating: 1, count: Self.segments * Self.length))
    var state = DecodingState(for: model).layers[0]
    let heads = try weights.projections(of: batch.input.rows(0..<Self.length), epsilon: 1e-6)
    let run = try #require(
      try weights.mixer.mix(
        heads, input: batch.input, state: &state, pass: MixerPass(angles: nil, position: 0)))
    let trained = layer.features(batch.input, segments: Self.segments).value
    for (a, b) in zip(run.values, trained.values) { #expect(abs(a - b) < 1e-4 * (1 + abs(b))) }
    func loss() -> Double {
      let (error, scale) = batch.weightedError(
        of: layer(batch.input, segments: Self.segments).value)
      return error / scale
    }
    let output = layer(batch.input, segments: Self.segments)
    _ = batch.lossAndGradient(of: output.value)
    let inputs = batch.input.zeros
    output.pullback(output.value, inputs)
    for parameter in layer.parameters {
      GradientCheck.expect(
        "\(parameter.role)", parameter.value, gradient: parameter.gradient, seed: 5, step: 5e-4,
        loss: loss)
    }
    GradientCheck.expect("input", batch.input, gradient: inputs, seed: 6, step: 1e-3, loss: loss)
  }
}
