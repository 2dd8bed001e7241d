import Architectures
import Foundations
import Kernels
import Mixers
import ModelFiles
import Runtime
import StepSettings
import TestSupport
import Testing

@testable import Healing

/// Gradients of a whole attention layer against central differences of its own loss.
@Suite struct TrainableMixerTests {
  private static let length = 11
  private static let segments = 2
  private static let rows = length * segments

  /// A converted layer with every parameter random, its inputs and its targets.
  private struct Problem {
    let layer: TrainableMixer
    let batch: LayerData.Batch

    init(_ kind: TinyModel, layer index: Int) throws {
      let directory = try TemporaryDirectory()
      try kind.synthesize(to: directory("source"))
      try TinyModel.convert(directory("source"), to: directory("converted")) { $0.window = 5 }
      let file = try ModelFile.open(directory("converted"))
      let model = file.description
      let weights = try LayerWeights(index, of: model, from: file)
      layer = TrainableMixer(
        weights, model: model, gateBias: -1)
      var generator = SplitMix64(seed: 3)
      for parameter in layer.parameters {
        for index in 0..<parameter.value.count {
          parameter.value.elements[index] += generator.symmetric(0.2)
        }
      }
      func random() -> FloatMatrix {
        let values = (0..<TrainableMixerTests.rows * model.hiddenSize).map { _ in
          generator.symmetric(1)
        }
        return FloatMatrix(values, rows: TrainableMixerTests.rows)
      }
      batch = LayerData.Batch(
        input: random(), target: random(),
        weights: (0..<TrainableMixerTests.rows).map {
          $0 % TrainableMixerTests.length == 0 ? 4 : 1
        })
    }

    var loss: Double {
      let output = layer(batch.input, segments: TrainableMixerTests.segments).value
      let (error, scale) = batch.weightedError(of: output)
      return error / scale
    }
  }

  @Test(
    arguments: [TinyModel.qwen2Tied, .qwen3, .llamaBias],
    // A linear layer and a window layer.
    [0, 1])
  func gradientsEqualCentralDifferences(_ kind: TinyModel, layer index: Int) throws {
    let problem = try Problem(kind, layer: index)
    let output = problem.layer(problem.batch.input, segments: Self.segments)
    _ = problem.batch.lossAndGradient(of: output.value)
    let inputs = FloatMatrix(rows: Self.rows, columns: problem.batch.input.columns)
    inputs.elements.update(repeating: 0)
    output.pullback(output.value, inputs)
    for parameter in problem.layer.parameters {
      GradientCheck.expect(
        "\(parameter.role) \(parameter.kind)", parameter.value, gradient: parameter.gradient,
        seed: 5, step: 5e-4
      ) { problem.loss }
    }
    GradientCheck.expect("input", problem.batch.input, gradient: inputs, seed: 6, step: 1e-3) {
      problem.loss
    }
  }

  @Test(arguments: [0, 1], [false, true])
  func theForwardPassIsTheRuntimes(_ index: Int, _ isPartial: Bool) throws {
    let directory = try TemporaryDirectory()
    try TinyModel.qwen3.synthesize(to: directory("source"))
    // Or with channels that do not turn.
    let source = isPartial ? Repository.fixture("sources/phi3") : directory("source")
    try TinyModel.convert(source, to: directory("converted")) { $0.window = 5 }
    let file = try ModelFile.open(directory("converted"))
    let model = file.description
    let weights = try LayerWeights(index, of: model, from: file)
    let runner = LayerRunner(weights: weights, model: model)
    var generator = SplitMix64(seed: 4)
    let values = (0..<Self.length * model.hiddenSize).map { _ in generator.symmetric(1) }
    let hidden = FloatMatrix(values, rows: Self.length)
    let layer = TrainableMixer(
      weights, model: model, gateBias: nil)
    let trained = layer(runner.normed(hidden), segments: 1).value
    var state = DecodingState(for: model).layers[index]
    let angles = RotaryEmbedding(model).table(first: 0, count: Self.length)
    let run = try #require(
      try runner.attention(hidden, state: &state, position: 0, angles: angles))
    let scale = run.elements.reduce(Float(0)) { max($0, $1.magnitude) }
    let worst = zip(run.elements, trained.elements).reduce(Float(0)) {
      max($0, ($1.0 - $1.1).magnitude)
    }
    #expect(worst <= 1e-5 * scale)
  }
}
