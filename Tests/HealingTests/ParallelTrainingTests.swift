import Architectures
import Checkpoints
import Foundations
import Kernels
import Mixers
import ModelFiles
import Runtime
import StepSettings
import Streams
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Healing

/// Layers with parallel branches, and sinks before the text.
@Suite struct ParallelTrainingTests {
  private static let segments = 2
  private static let length = 11

  /// Layer 0 has a window of 5, layer 1 full attention.
  private func converted(
    _ kind: TinyModel = .qwen3, sinks: Int, epsilon: Double = 0x1p20
  ) throws -> ModelFile {
    let directory = try TemporaryDirectory()
    try kind.synthesize(to: directory("source"))
    try TinyModel.convert(directory("source"), to: directory("converted")) {
      $0.layout = .intraLayer
      $0.window = 5
      $0.fullAttentionLayers = .list([1])
      $0.intraLayer.sinks = sinks
      $0.intraLayer.branchScale = [0.5, 1]
      $0.intraLayer.branchNormEpsilon = epsilon
    }
    return try ModelFile.open(directory("converted"))
  }

  private func random(_ rows: Int, _ columns: Int, seed: UInt64) -> FloatMatrix {
    var generator = SplitMix64(seed: seed)
    return FloatMatrix((0..<rows * columns).map { _ in generator.symmetric(1) }, rows: rows)
  }

  private static func relativeError(_ a: FloatMatrix, _ b: FloatMatrix) -> Float {
    func largest(_ values: some Sequence<Float>) -> Float {
      values.reduce(0) { $1.isFinite ? max($0, $1.magnitude) : .infinity }
    }
    return withExtendedLifetime((a, b)) {
      a.count == b.count
        ? largest(zip(a.elements, b.elements).map { $0 - $1 }) / largest(b.elements) : .infinity
    }
  }

  struct Form: Sendable {
    var kind = TinyModel.qwen3
    var sinks: Int
    var epsilon: Double
  }

  @Test(
    arguments: [
      Form(sinks: 0, epsilon: 0x1p20), Form(sinks: 3, epsilon: 0x1p20),
      Form(kind: .llamaBias, sinks: 1, epsilon: 0.01),
    ], [0, 1])
  func gradientsEqualCentralDifferences(_ form: Form, layer index: Int) throws {
    let file = try converted(form.kind, sinks: form.sinks, epsilon: form.epsilon)
    let model = file.description
    let layer = TrainableMixer(
      try LayerWeights(index, of: model, from: file), model: model,
      gateBias: nil)
    var generator = SplitMix64(seed: 3)
    for parameter in layer.parameters {
      for index in 0..<parameter.value.count {
        parameter.value.elements[index] += generator.symmetric(0.2)
      }
    }
    let whole = form.sinks + Self.length, rows = whole * Self.segments
    let batch = LayerData.Batch(
      input: random(rows, model.hiddenSize, seed: 1),
      target: random(rows, model.hiddenSize, seed: 2),
      weights: (0..<rows).map { $0 % whole < form.sinks ? 0 : $0 % whole == form.sinks ? 4 : 1 })
    func loss() -> Double {
      let (error, scale) = batch.weightedError(
        of: layer(batch.input, segments: Self.segments).value)
      return error / scale
    }
    let output = layer(batch.input, segments: Self.segments)
    _ = batch.lossAndGradient(of: output.value)
    let inputs = batch.input.zeros
    output.pullback(output.value, inputs)
    for parameter in layer.parameters where parameter.role != .branchScale {
      GradientCheck.expect(
        "\(parameter.role) \(parameter.kind)", parameter.value, gradient: parameter.gradient,
        seed: 5, step: 5e-4, loss: loss)
    }
    GradientCheck.expect(
      "input", batch.input, gradient: inputs, seed: 6, step: 1e-3, loss: loss)
  }

  @Test(arguments: [0, 1, 3], [0, 1])
  func aLayerIsTheRuntimes(sinks count: Int, layer index: Int) throws {
    let file = try converted(sinks: count)
    let model = file.description
    let sinks = random(count, model.hiddenSize, seed: 4)
    let text = random(Self.length, model.hiddenSize, seed: 5)
    let batch = TrainableLayer.Batch(
      [Int](repeating: 0, count: Self.length), segments: 1, sinkCount: count)
    let trained = try TrainableLayer(
      index, of: DescribedModel(model, weights: file), scope: .attention)(
        text.withSinks(sinks, segments: 1), batch
      ).value
    let runner = LayerRunner(
      weights: try LayerWeights(index, of: model, from: file), model: model)
    let rotary = RotaryEmbedding(model)
    var state = DecodingState(for: model).layers[index]
    if count > 0 {
      try runner.run(
        sinks, state: &state, passage: Passage(position: 0, areSinks: true),
        angles: rotary.table(first: 0, count: count))
    }
    try runner.run(
      text, state: &state, position: 0,
      angles: rotary.table(first: count, count: Self.length))
    #expect(Self.relativeError(trained, text.withSinks(sinks, segments: 1)) <= 1e-5)
  }

  @Test(arguments: ["window", "full"])
  func outputsAndGradientsAreThoseOfPyTorch(_ kind: String) throws {
    let path = Repository.fixture("healing/parallel.safetensors")
    let golden = try SafetensorsFile(path: path)
    let configuration = try TinyModel.configuration(
      "intra-layer",
      [
        "hidden_size": 32, "head_dim": 8, "intermediate_size": 2, "num_hidden_layers": 1,
        "mixer": [kind == "full" ? "parallel-full" : "parallel"], "ffn": ["dense"],
        "sliding_window": 4,
      ])
    let model = try Architectures.of(configuration).describe(configuration)
    var tensors = LayerTensors()
    for requirement in model.requirements where requirement.address.layer == 0 {
      let address = requirement.address
      let count = requirement.shape.elementCount ?? 0
      tensors.set(
        address,
        to: (try? golden.view("\(address.role.rawValue).\(address.parameter.rawValue)"))
          ?? MemoryStorage.view([Float](repeating: 0, count: count), shape: requirement.shape))
    }
    func matrix(_ name: String, rows: Int) throws -> FloatMatrix {
      FloatMatrix(try golden.view(name).floats, rows: rows)
    }
    let rows = Self.segments * 12
    let layer = TrainableMixer(
      try LayerWeights(0, of: model, from: TensorsAlone(tensors: tensors)),
      model: model, gateBias: nil)
    let input = try matrix("input", rows: rows), inputGradient = input.zeros
    let output = layer(input, segments: Self.segments)
    output.pullback(try matrix("output_gradient", rows: rows), inputGradient)
    #expect(
      Self.relativeError(output.value, try matrix("\(kind).output", rows: rows)) < 2e-6)
    #expect(
      Self.relativeError(inputGradient, try matrix("\(kind).gradient.input", rows: rows)) < 5e-6)
    for parameter in layer.parameters where parameter.role != .branchScale {
      let name = "\(parameter.role.rawValue).\(parameter.kind.rawValue)"
      let expected = try matrix("\(kind).gradient.\(name)", rows: parameter.value.rows)
      #expect(Self.relativeError(parameter.gradient, expected) < 5e-6, "\(name)")
    }
  }

  @Test func branchesAddUpToTheOutput() throws {
    let file = try converted(sinks: 1)
    let model = file.description
    let layer = TrainableMixer(
      try LayerWeights(0, of: model, from: file), model: model,
      gateBias: nil)
    let input = random(1 + Self.length, model.hiddenSize, seed: 7)
    let branches = try #require(layer.branches(input, segments: 1))
    #expect(branches.linear.squaredNorm > 0 && branches.softmax.squaredNorm > 0)
    branches.linear.add(branches.softmax)
    #expect(Self.relativeError(branches.linear, layer(input, segments: 1).value) < 1e-5)
  }

  @Test func sinksStandBeforeEverySegment() {
    let text = FloatMatrix([1, 2, 3, 4, 5, 6], rows: 6), sinks = FloatMatrix([8, 9], rows: 2)
    let whole = text.withSinks(sinks, segments: 2)
    #expect(Array(whole.elements) == [8, 9, 1, 2, 3, 8, 9, 4, 5, 6])
    let rest = whole.withoutSinks(2, segments: 2)
    #expect(Array(rest.elements) == Array(text.elements))
    withExtendedLifetime((text, sinks, whole, rest)) {}
  }
}

/// Weights of which there are no others below.
struct TensorsAlone: WeightSource {
  let tensors: LayerTensors

  func view(_ address: TensorAddress) throws -> TensorView { try #require(tensors.views[address]) }
}
