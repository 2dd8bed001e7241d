import Architectures
import Foundation
import Foundations
import Kernels
import ModelFiles
import Runtime
import StepSettings
import Streams
import TensorTypes
import TestSupport
import Testing
import Tokenization

@testable import Healing

/// What each layer would cost as a linear layer.
@Suite struct LayerRankingTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func folder(_ name: String) throws -> String {
    try FileManager.default.createDirectory(
      atPath: directory(name), withIntermediateDirectories: true)
    return directory(name)
  }

  /// With partial rotary embeddings, norms behind each part, soft caps, factors, experts.
  @Test(arguments: ["phi3", "gemma2", "gemma3_text", "olmo2", "granite", "mixtral", "qwen3_moe"])
  func `layers of every form are ranked`(_ kind: String) throws {
    let source = try ModelFile.open(Repository.fixture("sources/\(kind)"))
    let scores = try LayerRanking(
      model: source.description, weights: source, tokens: (0..<512).map { $0 * 7 % 64 },
      context: 32, directory: folder(kind)
    ).scores()
    #expect(scores.count == source.description.layers.count)
    #expect(scores.allSatisfy { $0.divergence > 0 && $0.error > 0 && $0.error < 1.5 })
  }

  private func embedded() throws -> (file: ModelFile, tokens: [Int]) {
    let file = try ModelFile.open(Repository.tinyQwen2)
    let text = try Files.bytes(Repository.root + "/demo/pride-and-prejudice-end.txt")
    return (file, Array(try file.tokenizer.load().encode(bytes: text).prefix(2048)))
  }

  /// The score of a layer is that of a model converted and healed in this layer alone.
  @Test func theScoreIsTheDivergenceOfAModelWithOneLinearLayer() throws {
    let (source, tokens) = try embedded()
    let scores = try LayerRanking(
      model: source.description, weights: source, tokens: tokens, context: 128,
      directory: folder("ranking")
    ).scores()
    #expect(scores.map(\.layer) == Array(0..<8))
    #expect(scores.allSatisfy { $0.divergence > 0 && $0.error > 0 && $0.error < 1 })
    for layer in [0, 3, 7] {
      let score = scores[layer]
      let converted = directory("converted\(layer)")
      try TinyModel.convert(Repository.tinyQwen2, to: converted) {
        $0.attentionLayers = .list((0..<8).filter { $0 != layer })
        $0.dtype = .float32
      }
      let file = try ModelFile.open(converted)
      var settings = LayerRanking.settings
      settings.context = 128
      settings.precision = .float32
      let healer = try Healer(
        model: file.description, weights: file, teacher: source.description,
        teacherWeights: source, tokens: tokens, settings: settings,
        directory: folder("heal\(layer)"))
      var error: Double?
      let tensors = try healer.run(
        progress: { _, _, _ in }, report: { if $0.layer == layer { error = $0.after } })
      let found = try #require(error)
      #expect(abs(found - score.error) <= 1e-4 * found)
      let model = try Model(
        file.description, weights: Overlay(tensors: tensors, below: file))
      let expected = try divergence(
        of: model, from: Model(source.description, weights: source),
        on: Array(tokens[(15 * 128)...]))
      #expect(abs(expected - score.divergence) <= 0.01 * expected)
    }
  }

  /// Mean KL(teacher‖model) over all tokens of a segment, in float64.
  private func divergence(of model: Model, from teacher: Model, on tokens: [Int]) throws -> Double {
    func logits(_ model: Model) throws -> FloatMatrix {
      var state = DecodingState(for: model.description)
      return try model.logits(model.extend(&state, with: tokens), rows: 0..<tokens.count)
    }
    func logarithms(_ row: UnsafeMutableBufferPointer<Float>) -> [Double] {
      let largest = Double(row.max() ?? 0)
      let total = row.reduce(0.0) { $0 + exp(Double($1) - largest) }
      return row.map { Double($0) - largest - log(total) }
    }
    let own = try logits(model), reference = try logits(teacher)
    return withExtendedLifetime((own, reference)) {
      (0..<tokens.count).reduce(0.0) { sum, row in
        zip(logarithms(reference[row]), logarithms(own[row])).reduce(sum) {
          $0 + exp($1.0) * ($1.0 - $1.1)
        }
      } / Double(tokens.count)
    }
  }

  /// A layer that writes nothing loses nothing.
  @Test func aLayerThatWritesNothingCostsNothing() throws {
    let (source, tokens) = try embedded()
    let model = source.description
    var silent = LayerTensors()
    silent.set(
      TensorAddress(.output, layer: 5),
      to: MemoryStorage.view(
        [Float](repeating: 0, count: model.hiddenSize * model.queryWidth),
        shape: [model.hiddenSize, model.queryWidth]))
    let scores = try LayerRanking(
      model: model, weights: Overlay(tensors: silent, below: source),
      tokens: Array(tokens.prefix(1024)), context: 128, directory: folder("ranking")
    ).scores()
    #expect(abs(scores[5].divergence) < 1e-6)
    let ranked = LayerRanking.ranked(scores)
    #expect(ranked.last?.layer == 5)
    #expect(ranked.map(\.divergence) == scores.map(\.divergence).sorted(by: >))
  }

  @Test func ofEqualLayersTheFirstComesFirst() {
    let scores = [(2, 0.5), (0, 0.1), (1, 0.5), (3, 0.7)].map {
      LayerRanking.Score(layer: $0.0, divergence: $0.1, error: 0)
    }
    #expect(LayerRanking.ranked(scores).map(\.layer) == [3, 1, 2, 0])
  }

  /// Biases, per-head norms, windows, tied heads, rotary scaling: each kind of source runs.
  @Test(arguments: TinyModel.allCases)
  func everySupportedSourceIsRanked(_ kind: TinyModel) throws {
    try kind.synthesize(to: directory("source"))
    let file = try ModelFile.open(directory("source"))
    var generator = SplitMix64(seed: 3)
    let tokens = (0..<256).map { _ in
      Int.random(in: 0..<file.description.vocabularySize, using: &generator)
    }
    let scores = try LayerRanking(
      model: file.description, weights: file, tokens: tokens, context: 32,
      directory: folder("ranking")
    ).scores()
    #expect(scores.map(\.layer) == Array(file.description.layers.indices))
    #expect(scores.allSatisfy { $0.divergence.isFinite && $0.error.isFinite })
  }

  /// The streams go, the scores stay: a stopped run does not measure again.
  @Test func whatWasMeasuredIsKept() throws {
    let (source, tokens) = try embedded()
    let work = try folder("ranking")
    let ranking = try LayerRanking(
      model: source.description, weights: source, tokens: Array(tokens.prefix(512)), context: 64,
      directory: work)
    var shares: [Double] = []
    let scores = try ranking.scores { shares.append($0) }
    #expect(shares.count == 8 && shares == shares.sorted() && shares.allSatisfy { $0 <= 1 })
    #expect(try FileManager.default.contentsOfDirectory(atPath: work) == ["ranking.json"])
    let again = try ranking.scores { _ in Issue.record("measured again") }
    #expect(again == scores)
  }

  @Test func tooLittleTextIsRefused() throws {
    let (source, tokens) = try embedded()
    #expect(throws: StreamError.tooFewTokens(300, needed: 512)) {
      try LayerRanking(
        model: source.description, weights: source, tokens: Array(tokens.prefix(300)),
        context: 128, directory: directory.path)
    }
  }
}
