import Foundation
import Foundations
import Kernels
import Mixers
import ModelFiles
import Runtime
import TestSupport
import Testing

@testable import Verification

/// Trials of recall: what they are made of, and what they measure.
struct RecallTests {
  private let directory: TemporaryDirectory
  /// Even ids of a vocabulary of 320; spans are made of odd ones.
  private let text = (0..<400).map { $0 * 2 % 320 }
  private let odd = Array(stride(from: 1, to: 320, by: 2))
  private var settings = Recall.Settings()

  init() throws {
    directory = try TemporaryDirectory()
    settings.trials = 3
    settings.span = 8
    settings.distance = 20
  }

  private func model(_ name: String) throws -> Model {
    try TinyModel.synthesize(TinyModel.configuration(name), to: directory(name))
    let file = try ModelFile.open(directory(name))
    return try Model(file.description, weights: file)
  }

  private func recall(_ model: Model, _ settings: Recall.Settings) throws -> Recall {
    try Recall(of: model, on: text, alphabet: odd, settings: settings)
  }

  @Test func `a trial is text with a span and its copy`() {
    var generator = SplitMix64(seed: 3), starts: Set<Int> = []
    for _ in 0..<50 {
      let trial = RecallTrial(settings, text: text, alphabet: odd, generator: &generator)
      let tokens = trial.tokens, copy = trial.scored.lowerBound - 1, place = copy - 20
      #expect(trial.scored == copy + 1..<copy + 8)
      #expect(tokens.count == copy + 8)
      #expect((1...128).contains(place))
      #expect(tokens[place..<place + 8].elementsEqual(tokens[copy...]))
      #expect(tokens[copy...].allSatisfy(odd.contains))
      #expect(trial.control[copy...].elementsEqual(tokens[copy...]))
      #expect(!trial.control[place..<place + 8].elementsEqual(tokens[copy...]))
      #expect(trial.control[place..<place + 8].allSatisfy(odd.contains))
      for around in [0..<place, place + 8..<copy] {
        #expect(trial.control[around].elementsEqual(tokens[around]))
        #expect(
          zip(around, tokens[around]).allSatisfy {
            $1 == (tokens[0] + 2 * $0) % 320
          })
      }
      starts.insert(place)
    }
    #expect(starts.count > 20)
  }

  @Test func `the shortest text that is long enough does`() {
    var generator = SplitMix64(seed: 3)
    let text = Array(text[..<settings.length])
    #expect(settings.length == 156)
    for _ in 0..<20 {
      let trial = RecallTrial(settings, text: text, alphabet: odd, generator: &generator)
      #expect(trial.tokens[0] == text[0])
    }
  }

  @Test func `without linear layers nothing is gained`() throws {
    let recall = try recall(model("mistral"), settings)
    #expect(recall.gain == MeanEstimate([0, 0, 0]))
    #expect(recall.control == MeanEstimate([0, 0, 0]))
    #expect(recall.beyondControl == MeanEstimate([0, 0, 0]))
    #expect(recall.logProbability < 0)
  }

  @Test func `the gain is the difference of two models' log-probabilities`() throws {
    let model = try model("gla_swa")
    let recall = try recall(model, settings)
    #expect(recall.every == 6)
    var forgetful = model
    forgetful.ablation = .state(every: 6)
    var generator = SplitMix64(seed: 0, label: "recall"), gains: [Double] = [],
      controls: [Double] = []
    for _ in 0..<3 {
      let trial = RecallTrial(settings, text: text, alphabet: odd, generator: &generator)
      gains.append(
        try logProbability(model, trial.tokens) - logProbability(forgetful, trial.tokens))
      controls.append(
        try logProbability(model, trial.control) - logProbability(forgetful, trial.control))
    }
    let beyond = MeanEstimate(zip(gains, controls).map { $0 - $1 })
    #expect(abs(recall.control.mean - MeanEstimate(controls).mean) < 1e-5)
    #expect(abs(recall.beyondControl.standardError - beyond.standardError) < 1e-5)
    let expected = MeanEstimate(gains)
    #expect(abs(recall.gain.mean - expected.mean) < 1e-5)
    #expect(abs(recall.gain.standardError - expected.standardError) < 1e-5)
    #expect(expected.mean.magnitude > 1e-4)
  }

  /// Mean log-probability of the last seven tokens, softmax written out.
  private func logProbability(_ model: Model, _ tokens: [Int]) throws -> Double {
    var state = DecodingState(for: model.description), sum = 0.0
    let hidden = try model.extend(&state, with: tokens)
    for position in tokens.count - 7..<tokens.count {
      let logits = try model.logits(hidden, rows: position - 1..<position)
      let values = withExtendedLifetime(logits) { logits.elements.map(Double.init) }
      sum += values[tokens[position]] - log(values.reduce(0) { $0 + exp($1) })
    }
    return sum / 7
  }

  @Test func `a seed makes the trials`() throws {
    let model = try model("gla_swa")
    var other = settings
    other.seed = 1
    let results = try [settings, settings, other].map { try recall(model, $0) }
    #expect(results[0].gain == results[1].gain)
    #expect(results[0].gain != results[2].gain)
  }

  @Test func `states are emptied each 256 tokens, or each window`() throws {
    #expect(try Recall.period(for: model("gla_swa")) == 6)
    #expect(try Recall.period(for: model("qwen2")) == 256)
  }
}
