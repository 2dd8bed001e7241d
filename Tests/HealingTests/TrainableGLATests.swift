import Architectures
import Kernels
import ModelFiles
import Recipes
import Runtime
import TensorTypes
import TestSupport
import Testing

@testable import Healing

/// Gradients of a whole layer against central differences of its own loss.
@Suite struct TrainableGLATests {
  private static let length = 11
  private static let segments = 2

  /// A converted layer with every parameter random, its inputs and its targets.
  private struct Problem {
    let layer: TrainableGLA
    let batch: LayerData.Batch

    init(_ kind: TinyModel) throws {
      let directory = try TemporaryDirectory()
      try kind.synthesize(to: directory("source"))
      try TinyModel.convert(directory("source"), to: directory("converted"))
      let file = try ModelFile.open(directory("converted"))
      let weights = try LayerWeights(0, of: file.description, from: file)
      layer = try TrainableGLA(weights, model: file.description, gateBias: -1)
      var generator = SplitMix64(seed: 3)
      for parameter in layer.parameters {
        for index in 0..<parameter.value.count {
          parameter.value.elements[index] += generator.symmetric(0.2)
        }
      }
      func random() -> FloatMatrix {
        let rows = TrainableGLATests.length * TrainableGLATests.segments
        let values = (0..<rows * file.description.hiddenSize).map { _ in generator.symmetric(1) }
        return FloatMatrix(values, rows: rows)
      }
      batch = LayerData.Batch(
        input: random(), target: random(),
        weights: (0..<Self.rows).map { $0 % TrainableGLATests.length == 0 ? 4 : 1 })
    }

    private static let rows = TrainableGLATests.length * TrainableGLATests.segments

    var loss: Double {
      let trace = layer.forward(batch.input, segments: TrainableGLATests.segments)
      let (error, scale) = batch.weightedError(of: layer.output(of: trace))
      return error / scale
    }
  }

  @Test(arguments: [TinyModel.qwen2Tied, .qwen3, .llamaBias])
  func gradientsEqualCentralDifferences(_ kind: TinyModel) throws {
    let problem = try Problem(kind)
    let layer = problem.layer
    let trace = layer.forward(problem.batch.input, segments: Self.segments)
    let output = layer.output(of: trace)
    _ = problem.batch.lossAndGradient(of: output)
    layer.backward(trace, outputGradient: output, segments: Self.segments)
    var generator = SplitMix64(seed: 5)
    for (number, parameter) in layer.parameters.enumerated() {
      // Along the gradient itself the derivative is its squared norm: one number that every
      // element takes part in, and large enough to measure in f32.
      let direction = (0..<parameter.value.count).map { index in
        parameter.gradient.elements[index] * (1 + 0.5 * generator.symmetric(1))
      }
      let expected = zip(direction, parameter.gradient.elements).reduce(0.0) {
        $0 + Double($1.0) * Double($1.1)
      }
      let size = direction.reduce(0.0) { $0 + Double($1 * $1) }.squareRoot()
      guard size > 0 else {
        Issue.record("parameter \(number) has no gradient")
        continue
      }
      let step = 2e-3 / size
      let start = parameter.value.copy
      func loss(at distance: Double) -> Double {
        for index in direction.indices {
          parameter.value.elements[index] =
            start.elements[index] + Float(distance) * direction[index]
        }
        return problem.loss
      }
      let measured = (loss(at: step) - loss(at: -step)) / (2 * step)
      parameter.value.copyRows(of: start, to: 0)
      #expect(
        abs(measured - expected) <= 0.02 * abs(expected) + 1e-9,
        "parameter \(number): \(measured) measured, \(expected) derived")
    }
  }

  @Test func theForwardPassIsTheRuntimes() throws {
    let directory = try TemporaryDirectory()
    try TinyModel.qwen3.synthesize(to: directory("source"))
    try TinyModel.convert(directory("source"), to: directory("converted"))
    let file = try ModelFile.open(directory("converted"))
    let model = file.description
    let weights = try LayerWeights(0, of: model, from: file)
    let runner = LayerRunner(weights: weights, model: model)
    var generator = SplitMix64(seed: 4)
    let values = (0..<Self.length * model.hiddenSize).map { _ in generator.symmetric(1) }
    let hidden = FloatMatrix(values, rows: Self.length)
    let layer = try TrainableGLA(weights, model: model, gateBias: nil)
    let trained = layer.output(of: layer.forward(runner.normed(hidden), segments: 1))
    var state = DecodingState(for: model).layers[0]
    let angles = RotaryEmbedding(model).table(first: 0, count: Self.length)
    let run = try #require(
      runner.attention(hidden, state: &state, position: 0, angles: angles))
    let scale = run.elements.reduce(Float(0)) { max($0, $1.magnitude) }
    let worst = zip(run.elements, trained.elements).reduce(Float(0)) {
      max($0, ($1.0 - $1.1).magnitude)
    }
    #expect(worst <= 1e-5 * scale)
  }
}
