import Architectures
import Foundation
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

/// The second stage of healing: gradients through the whole model, and what comes of them.
@Suite struct DistillerTests {
  private static let length = 24

  /// A small random model, its conversion, and the source's final stream of two segments.
  private struct Problem {
    let source: ModelFile
    let converted: ModelFile
    /// What the conversion is taken for.
    var description: ModelDescription
    let tokens: [Int]
    let target: FloatMatrix

    init(
      _ kind: TinyModel, change: (inout ConvertSettings) -> Void = { $0.window = 9 },
      upcycle: ((inout UpcycleSettings) -> Void)? = nil
    ) throws {
      let directory = try TemporaryDirectory()
      try kind.synthesize(to: directory("source"))
      try TinyModel.convert(directory("source"), to: directory("converted"), change: change)
      source = try ModelFile.open(directory("source"))
      if let upcycle {
        try TinyModel.upcycle(directory("converted"), to: directory("experts"), change: upcycle)
      }
      converted = try ModelFile.open(directory(upcycle == nil ? "converted" : "experts"))
      description = converted.description
      let model = source.description
      var generator = SplitMix64(seed: 8)
      tokens = (0..<2 * DistillerTests.length).map { _ in
        Int.random(in: 0..<model.vocabularySize, using: &generator)
      }
      target = FloatMatrix(rows: tokens.count, columns: model.hiddenSize)
      let runtime = try Model(model, weights: source)
      for first in stride(from: 0, to: tokens.count, by: DistillerTests.length) {
        var state = DecodingState(for: model)
        _ = try runtime.extend(
          &state, with: Array(tokens[first..<first + DistillerTests.length])
        ) { [target] layer, row, hidden in
          if layer == model.layers.count { target.copyRows(of: hidden, to: first + row) }
        }
      }
    }

    func trainable(
      _ scope: DistillScope = .attention, recomputes: Bool = false
    ) throws -> TrainableModel {
      try TrainableModel(
        DescribedModel(description, weights: converted),
        teacher: DescribedModel(source.description, weights: source), scope: scope,
        recomputes: recomputes)
    }

    func divergence(_ model: TrainableModel, factor: Float? = nil) throws -> Double {
      try model.divergence(tokens, segments: 2, source: target, factor: factor)
    }
  }

  @Test(arguments: [TinyModel.qwen2Tied, .qwen3, .llamaBias])
  func gradientsThroughTheModelEqualCentralDifferences(_ kind: TinyModel) throws {
    try checkGradients(Problem(kind))
  }

  @Test func gradientsPassParallelBranchesAndSinks() throws {
    let problem = try Problem(.qwen3, change: Self.intraLayer)
    try checkGradients(problem)
    // All layers have a linear branch.
    #expect(try problem.trainable(.linear).parameters.count == 3)
  }

  @Test(arguments: [
    (DistillScope.experts, 1, FeedForward.Experts.Weighting.softmax), (.experts, 0, .softmax),
    (.attention, 1, .softmax), (.attention, 0, .normalized), (.all, 1, .softmax),
  ])
  func gradientsPassExperts(
    _ scope: DistillScope, _ shared: Int, _ weighting: FeedForward.Experts.Weighting
  ) throws {
    var problem = try Problem(.qwen3, change: Self.intraLayer) {
      $0.experts = 4
      $0.shared = shared
      $0.topK = 2
      $0.denseLayers = .list([1])
      $0.router = .random(0.4)
    }
    for layer in problem.description.layers.indices {
      guard var experts = problem.description.layers[layer].feedForward.experts else { continue }
      experts.weighting = weighting
      problem.description.layers[layer].feedForward = .experts(experts)
    }
    try checkGradients(problem, scope)
    guard scope == .experts else { return }
    let trained = try problem.trainable(.experts).parameters
    #expect(trained.map(\.layer) == [0, 2])
    #expect(trained.allSatisfy { $0.parameters.count == 4 + shared })
  }

  /// Equal scores are decided by token and position, sinks among them, as the runtime does.
  @Test func tokensGoWhereTheRuntimeSendsThem() throws {
    let problem = try Problem(.qwen3, change: Self.intraLayer) {
      $0.experts = 4
      $0.denseLayers = .list([])
    }
    let model = try problem.trainable(.experts)
    for (_, parameters) in model.parameters {
      for (index, parameter) in parameters.enumerated() {
        for element in 0..<parameter.value.count {
          parameter.value.elements[element] *= 1 + 0.2 * Float(index)
        }
      }
    }
    var tensors = LayerTensors()
    for (layer, parameters) in model.parameters {
      tensors.merge(parameters.tensors(ofLayer: layer))
    }
    let expected = try runtimeDivergence(
      problem, weights: Overlay(tensors: tensors, below: problem.converted))
    let divergence = try problem.divergence(model)
    #expect(expected > 0.01 && abs(divergence - expected) <= 1e-4 * expected)
  }

  private static func intraLayer(_ settings: inout ConvertSettings) {
    settings.layout = .intraLayer
    settings.window = 5
    settings.fullAttentionLayers = .list([1])
    settings.intraLayer.sinks = 2
    settings.intraLayer.branchScale = [0.5, 1]
  }

  /// What the untrained model's divergence is according to the runtime.
  @Test func theDivergenceIsTheRuntimes() throws {
    let problem = try Problem(.qwen3, change: Self.intraLayer)
    let expected = try runtimeDivergence(problem, weights: problem.converted)
    let divergence = try problem.divergence(problem.trainable())
    #expect(expected > 0.01 && abs(divergence - expected) <= 1e-4 * expected)
  }

  private func runtimeDivergence(
    _ problem: Problem, weights: any WeightSource
  ) throws -> Double {
    let model = problem.converted.description
    let predictions = try Predictions(of: DescribedModel(model, weights: weights))
    let reference = try Predictions(
      of: DescribedModel(problem.source.description, weights: problem.source))
    let runtime = try Model(model, weights: weights)
    var sum = 0.0
    for first in [0, Self.length] {
      var state = DecodingState(for: model)
      _ = try runtime.extend(
        &state, with: Array(problem.tokens[first..<first + Self.length])
      ) { layer, _, hidden in
        guard layer == model.layers.count else { return }
        sum += try Predictions.divergence(
          of: predictions.logits(hidden),
          from: reference.logits(problem.target.rows(first..<first + Self.length)))
      }
    }
    return sum
  }

  private func checkGradients(
    _ problem: Problem, _ scope: DistillScope = .attention
  ) throws {
    let model = try problem.trainable(scope)
    var generator = SplitMix64(seed: 3)
    for parameter in model.parameters.flatMap(\.parameters) {
      for index in 0..<parameter.value.count {
        parameter.value.elements[index] += generator.symmetric(0.1)
      }
    }
    let divergence = try problem.divergence(model, factor: 1)
    #expect(divergence > 0.01)
    #expect(try abs(divergence - problem.divergence(model)) <= 1e-4 * divergence)
    for (layer, parameters) in model.parameters {
      for parameter in parameters where parameter.role != .branchScale {
        try GradientCheck.expect(
          "\(parameter.address(inLayer: layer))", parameter.value,
          gradient: parameter.gradient, seed: 5, step: 4e-3, tolerance: 0.05
        ) { try problem.divergence(model) }
      }
    }
  }

  @Test func recomputingLayersGivesTheSameGradients() throws {
    let problem = try Problem(.qwen3)
    let kept = try problem.trainable(), recomputed = try problem.trainable(recomputes: true)
    _ = try problem.divergence(kept, factor: 1)
    _ = try problem.divergence(recomputed, factor: 1)
    for (a, b) in zip(kept.parameters, recomputed.parameters) {
      for (a, b) in zip(a.parameters, b.parameters) {
        let scale = a.gradient.elements.reduce(Float(0)) { max($0, $1.magnitude) }
        let worst = zip(a.gradient.elements, b.gradient.elements).reduce(Float(0)) {
          max($0, ($1.0 - $1.1).magnitude)
        }
        #expect(worst <= 1e-4 * scale)
      }
    }
  }

  @Test func theScopeSaysWhatIsTrained() throws {
    let problem = try Problem(.qwen2Tied)
    let layers = problem.converted.description.layers
    let linear = layers.indices.filter { !layers[$0].mixer.isSoftmax }
    #expect(try problem.trainable(.linear).parameters.map(\.layer) == linear)
    #expect(try problem.trainable(.attention).parameters.map(\.layer) == Array(layers.indices))
  }

  @Test func aStoppedTrainingGoesOnAndGetsCloser() throws {
    let problem = try Problem(.qwen2Tied)
    let directory = try TemporaryDirectory()
    let stream = try HiddenStream(
      path: directory("source"), columns: problem.source.description.hiddenSize)
    try stream.write(problem.target, at: 0)
    var settings = HealSettings()
    settings.distillBatch = 1
    settings.distillLearningRate = 3e-3
    let workspace = Workspace(directory: directory.path)
    let segments = Segments(
      [problem.tokens.prefix(Self.length), problem.tokens.suffix(Self.length)].map(Array.init))
    func run(_ model: TrainableModel, from state: inout DistillState, stop: Int?) throws
      -> Healer.DistillReport
    {
      let distiller = Distiller(
        model: model, segments: segments, source: stream, settings: settings, together: 1,
        timePerSave: 0)
      return try distiller.run(
        steps: 20, state: &state, save: { try workspace.save($0, of: model) }
      ) { share, _ in
        if let stop, Int((share * 20).rounded()) == stop { throw Interruption() }
      }
    }
    var state = DistillState()
    let trained = try problem.trainable()
    let start = try problem.divergence(trained)
    let whole = try run(trained, from: &state, stop: nil)
    #expect(try whole.steps == 20 && problem.divergence(trained) < 0.8 * start)

    try FileManager.default.removeItem(atPath: directory("distill.json"))
    state = DistillState()
    #expect(throws: Interruption.self) { try run(problem.trainable(), from: &state, stop: 7) }
    let model = try problem.trainable()
    state = try workspace.distillState(of: model)
    #expect(state.step == 7)
    let resumed = try run(model, from: &state, stop: nil)
    #expect(abs(resumed.after - whole.after) <= 0.01 * whole.after)
    #expect(resumed.before == whole.before)
    let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    #expect(left.count { $0.hasPrefix("distill.") && $0.hasSuffix(".safetensors") } == 1)
  }

  private struct Interruption: Error {}
}
