import Architectures
import Foundations
import Kernels
import Mixers
import ModelFiles
import Runtime
import StepSettings
import Streams
import TensorTypes
import TestSupport
import Testing

@testable import Healing

/// What sources have that Llama has not, in the model that is trained: norms behind each part, factors,
/// soft caps, other activations, experts.
@Suite struct TrainableFormsTests {
  private static let length = 12
  static let kinds = [
    "gemma2", "gemma3_text", "olmo2", "olmo3", "granite", "minicpm", "mixtral", "qwen3_moe",
    "olmoe",
    "smollm3", "ministral3",
  ]

  /// A fixture, its conversion, and two segments of text.
  private struct Problem {
    let source: ModelFile
    let converted: ModelFile
    let tokens: [Int]

    init(_ kind: String) throws {
      let directory = try TemporaryDirectory()
      source = try ModelFile.open(Repository.fixture("sources/\(kind)"))
      try TinyModel.convert(source.path, to: directory("c")) { $0.window = 5 }
      converted = try ModelFile.open(directory("c"))
      var generator = SplitMix64(seed: 8)
      tokens = (0..<2 * TrainableFormsTests.length).map { _ in
        Int.random(in: 0..<64, using: &generator)
      }
    }

    /// Final streams and logits of each segment, as the runtime computes them.
    func run(_ file: ModelFile) throws -> (streams: FloatMatrix, logits: FloatMatrix) {
      let model = try Model(file.description, weights: file)
      let streams = FloatMatrix(rows: tokens.count, columns: file.description.hiddenSize)
      let logits = FloatMatrix(rows: tokens.count, columns: file.description.vocabularySize)
      for first in stride(from: 0, to: tokens.count, by: TrainableFormsTests.length) {
        var state = DecodingState(for: file.description)
        let part = Array(tokens[first..<first + TrainableFormsTests.length])
        let hidden = try model.extend(&state, with: part) { layer, row, hidden in
          if layer == file.description.layers.count {
            streams.copyRows(of: hidden, to: first + row)
          }
        }
        logits.copyRows(of: try model.logits(hidden, rows: 0..<part.count), to: first)
      }
      return (streams, logits)
    }
  }

  @Test(arguments: kinds)
  func `the trained model is the runtime's, and its gradients are differences`(
    _ kind: String
  ) throws {
    let problem = try Problem(kind)
    let (target, expected) = try problem.run(problem.source)
    // Where a token changes its experts, the divergence jumps: the fewer numbers move, the better.
    let hasExperts = problem.source.description.layers[0].feedForward.experts != nil
    let model = try TrainableModel(
      DescribedModel(problem.converted.description, weights: problem.converted),
      teacher: DescribedModel(problem.source.description, weights: problem.source),
      scope: hasExperts ? .attention : .all, recomputes: false)
    func divergence(_ factor: Float? = nil) throws -> Double {
      try model.divergence(problem.tokens, segments: 2, source: target, factor: factor)
    }
    let found = try problem.run(problem.converted).logits
    let reference = Predictions.divergence(of: found, from: expected)
    #expect(abs(try divergence() - reference) < 1e-4 * reference)
    // A fresh gate has no gradient, and fresh norms are steep.
    var generator = SplitMix64(seed: 3)
    for parameter in model.parameters.flatMap(\.parameters) {
      for index in 0..<parameter.value.count {
        parameter.value.elements[index] += generator.symmetric(0.1)
      }
    }
    _ = try divergence(1)
    for (layer, parameters) in model.parameters {
      // Scores do not change with a bias of keys that do not turn. Of steps that are too small for a
      // jump, rounding leaves little of a small gradient.
      let least = hasExperts ? 2e-2 : 1e-8
      for parameter in parameters where parameter.gradient.squaredNorm > least {
        try GradientCheck.expect(
          "layer \(layer), \(parameter.role) \(parameter.kind)", parameter.value,
          gradient: parameter.gradient, seed: 5, step: hasExperts ? 1e-4 : 1e-3,
          tolerance: hasExperts ? 0.1 : 0.05
        ) { try divergence() }
      }
    }
  }

  @Test func `the gradients of activations are differences`() {
    var generator = SplitMix64(seed: 3)
    func random() -> FloatMatrix {
      FloatMatrix((0..<64).map { _ in generator.symmetric(3) }, rows: 4)
    }
    for activation in Activation.allCases {
      let gate = random(), up = random(), weights = random()
      func loss() -> Double {
        let made = gate.copy
        made.gate(up, by: activation)
        return zip(made.elements, weights.elements).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      }
      let gateGradient = gate.unset, upGradient = weights.copy
      gate.gateBackward(
        up, by: activation, gradient: upGradient, into: gateGradient, up: upGradient)
      GradientCheck.expect("gate", gate, gradient: gateGradient, seed: 1, step: 1e-2) { loss() }
      GradientCheck.expect("up", up, gradient: upGradient, seed: 2, step: 1e-2) { loss() }
    }
  }
}
