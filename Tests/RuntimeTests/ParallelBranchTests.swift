import Architectures
import Kernels
import Mixers
import ModelFiles
import TensorTypes
import TestSupport
import Testing

@testable import Runtime

/// Parallel branches and sinks, switched on and off.
struct ParallelBranchTests {
  private let directory: TemporaryDirectory
  private let tokens = someTokens(24)

  init() throws { directory = try TemporaryDirectory() }

  private func model(factors: [Float]) throws -> Model {
    let file = try ModelFile.open(directory("intra-layer"))
    let weights = ReplacedWeights(base: file) { address, view in
      address.role == .branchScale ? MemoryStorage.view(factors, shape: [2]) : nil
    }
    return try Model(file.description, weights: weights)
  }

  @Test(arguments: [(Ablation.attention, [1, 0]), (.linear, [0, 1])] as [(Ablation, [Float])])
  func `without one branch's factor it is the ablated model`(
    _ ablation: Ablation, _ factors: [Float]
  ) throws {
    var ablated = try synthesized("intra-layer", in: directory)
    let whole = try ablated.logits(tokens)
    ablated.ablation = ablation
    let silenced = try model(factors: factors)
    var scaled = try model(factors: [1, 1])
    scaled.ablation = ablation
    #expect(try scaled.logits(tokens) == silenced.logits(tokens))
    #expect(difference(try ablated.logits(tokens), whole) > 1e-2)
  }

  @Test func `without the linear branch's factor its memory does not matter`() throws {
    _ = try synthesized("intra-layer", in: directory)
    var model = try model(factors: [0, 1])
    let whole = try model.logits(tokens)
    model.ablation = .state(every: 1)
    #expect(difference(try model.logits(tokens), whole) < 1e-6)
    var both = try self.model(factors: [1, 1])
    let reference = try both.logits(tokens)
    both.ablation = .state(every: 1)
    #expect(difference(try both.logits(tokens), reference) > 1e-2)
    both.ablation = nil
    #expect(try both.logits(tokens) == reference, "sinks are computed for each ablation")
  }

  @Test(arguments: [1, 2, 5, 16, 24])
  func `state:N puts every linear state back to what the sinks left`(_ every: Int) throws {
    _ = try synthesized("intra-layer", in: directory)
    let model = try model(factors: [1, 1])
    let sinks = try model.sinkStates()
    var state = DecodingState(for: model.description), expected: [Float] = []
    for (position, token) in tokens.enumerated() {
      if position > 0, position % every == 0 {
        for layer in state.layers.indices {
          state.layers[layer].memory = sinks[layer].memory
        }
      }
      expected += try model.logits([token], on: &state)
    }
    var ablated = model
    ablated.ablation = .state(every: every)
    #expect(difference(try ablated.logits(tokens), expected) < 1e-5)
    #expect(difference(try ablated.logits(tokens, stepwise: true), expected) < 1e-5)
    let changes = difference(expected, try model.logits(tokens))
    #expect(every == 24 ? changes < 1e-5 : changes > 1e-3)
  }

  @Test func `sinks are seen from beyond the window`() throws {
    let model = try synthesized("intra-layer", in: directory)
    let file = try ModelFile.open(directory("intra-layer"))
    let weights = ReplacedWeights(base: file) { address, view in
      guard address.role == .sinkTokens else { return nil }
      return MemoryStorage.view([Float](repeating: 0.25, count: 3 * 64), shape: view.shape)
    }
    // Softmax branch alone: the linear branch would carry the sinks anyway.
    let changed = try Model(file.description, weights: weights)
    let rows = 23 * 320..<24 * 320
    #expect(
      difference(try changed.logits(tokens)[rows], try model.logits(tokens)[rows]) > 1e-3)
  }

  @Test func `positions of the text begin at 0`() throws {
    let model = try synthesized("intra-layer", in: directory)
    var state = DecodingState(for: model.description)
    #expect(state.saved.allSatisfy { $0.count == 2 * 24 * 24 })
    _ = try model.logits(Array(tokens[..<4]), on: &state)
    #expect(state.position == 4)
    // 3 sinks and 4 tokens of 2 heads of 24 channels, keys and values.
    #expect(state.saved.allSatisfy { $0.count == 2 * 24 * 24 + 2 * 7 * 48 })
  }
}
