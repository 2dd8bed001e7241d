import Architectures
import Mixers
import ModelFiles
import TensorTypes
import TestSupport
import Testing

@testable import Runtime

/// Parts switched off, against models that do without them.
struct AblationTests {
  private let directory: TemporaryDirectory
  private let tokens = someTokens(24)

  init() throws { directory = try TemporaryDirectory() }

  /// Logits when every linear state is emptied by hand before each `every`-th position.
  private func emptied(_ model: Model, every: Int) throws -> [Float] {
    var state = DecodingState(for: model.description), logits: [Float] = []
    for (position, token) in tokens.enumerated() {
      if position % every == 0 {
        let saved = zip(model.description.layers, state.saved).map { layer, numbers in
          layer.mixer.isSoftmax ? numbers : [Float](repeating: 0, count: numbers.count)
        }
        state = try #require(
          DecodingState(for: model.description, saved: saved, position: position))
      }
      logits += try model.logits([token], on: &state)
    }
    return logits
  }

  @Test(arguments: ["gla_swa", "spikingbrain"], [1, 2, 5, 16, 24])
  func `state:N empties every linear state each N tokens`(_ name: String, _ every: Int) throws {
    let model = try synthesized(name, in: directory)
    var ablated = model
    ablated.ablation = .state(every: every)
    let expected = try emptied(model, every: every)
    #expect(difference(try ablated.logits(tokens), expected) < 1e-5)
    #expect(difference(try ablated.logits(tokens, stepwise: true), expected) < 1e-5)
    // Cut where the period does not: positions count, not segments.
    var state = DecodingState(for: model.description)
    let parts =
      try ablated.logits(Array(tokens[..<7]), on: &state)
      + ablated.logits(Array(tokens[7...]), on: &state)
    #expect(difference(parts, expected) < 1e-5)
    let changes = difference(try ablated.logits(tokens), try model.logits(tokens))
    #expect(every == 24 ? changes < 1e-5 : changes > 1e-3)
  }

  @Test(
    arguments: ["gla_swa", "spikingbrain"], [(Ablation.attention, true), (.linear, false)])
  func `attention and linear remove the output of such layers`(
    _ name: String, _ removal: (Ablation, Bool)
  ) throws {
    let (ablation, removesSoftmax) = removal
    var model = try synthesized(name, in: directory)
    let file = try ModelFile.open(directory(name))
    let layers = model.description.layers
    let weights = ReplacedWeights(base: file) { address, view in
      guard address.role == .output, let layer = address.layer,
        layers[layer].mixer.isSoftmax == removesSoftmax
      else { return nil }
      let zeros = [Float](repeating: 0, count: view.shape.elementCount ?? 0)
      return MemoryStorage.view(zeros, shape: view.shape)
    }
    let expected = try Model(model.description, weights: weights).logits(tokens)
    let whole = try model.logits(tokens)
    model.ablation = ablation
    #expect(difference(try model.logits(tokens), expected) < 1e-6)
    #expect(difference(expected, whole) > 1e-3)
  }

  @Test func `a model without linear layers has no state to empty`() throws {
    var model = try synthesized("mistral", in: directory)
    let whole = try model.logits(tokens)
    model.ablation = .state(every: 1)
    #expect(try model.logits(tokens) == whole)
  }

  @Test func `texts are parsed`() {
    #expect(Ablation(parsing: "state") == .state(every: 1))
    #expect(Ablation(parsing: "state:64") == .state(every: 64))
    #expect(Ablation(parsing: "attention") == .attention)
    #expect(Ablation(parsing: "linear") == .linear)
    for text in ["", "state:", "state:0", "state:-1", "state:x", "stat", "attention:1", "linear:1"]
    {
      #expect(Ablation(parsing: text) == nil, "\(text)")
    }
  }
}
