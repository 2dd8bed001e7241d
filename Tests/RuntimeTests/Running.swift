import Architectures
import Checkpoints
import Foundations
import Kernels
import ModelFiles
import TensorTypes
import TestSupport
import Testing

@testable import Runtime

/// A model opened from a checkpoint.
func openModel(_ path: String) throws -> Model {
  let file = try ModelFile.open(path)
  try file.requireSound()
  return try Model(file.description, weights: file)
}

/// The model of a configuration in Tests/Fixtures/configs, its weights in `directory`.
func synthesized(_ name: String, in directory: TemporaryDirectory) throws -> Model {
  try TinyModel.synthesize(TinyModel.configuration(name), to: directory(name))
  return try openModel(directory(name))
}

extension Model {
  /// Logits [T, V] after reading `tokens` on top of `state`.
  func logits(
    _ tokens: [Int], on state: inout DecodingState, stepwise: Bool = false
  ) throws -> [Float] {
    let hidden = try extend(&state, with: tokens, stepwise: stepwise)
    let logits = try logits(hidden, rows: 0..<tokens.count)
    return logits.values
  }

  /// Logits [T, V] from an empty state.
  func logits(_ tokens: [Int], stepwise: Bool = false) throws -> [Float] {
    var state = DecodingState(for: description)
    return try logits(tokens, on: &state, stepwise: stepwise)
  }
}

/// Expects `model` to go on from a saved and restored state after `cut` of `tokens` as from the live
/// one; returns the restored state at the end of them.
@discardableResult
func expectRestoredGoesOn(_ model: Model, _ tokens: [Int], cut: Int) throws -> DecodingState {
  var state = DecodingState(for: model.description)
  _ = try model.logits(Array(tokens[..<cut]), on: &state)
  var restored = try #require(
    DecodingState(for: model.description, saved: state.saved, position: state.position))
  #expect(restored.saved == state.saved)
  let rest = Array(tokens[cut...])
  #expect(try model.logits(rest, on: &restored) == model.logits(rest, on: &state))
  #expect(restored.saved == state.saved)
  return restored
}

extension FloatMatrix {
  /// A copy of the elements; the matrix itself may die as soon as its pointer is read.
  var values: [Float] { withExtendedLifetime(self) { Array(elements) } }
}

/// Deterministic tokens of a vocabulary.
func someTokens(_ count: Int, below vocabulary: Int = 320, seed: UInt64 = 5) -> [Int] {
  var generator = SplitMix64(seed: seed)
  return (0..<count).map { _ in Int.random(in: 0..<vocabulary, using: &generator) }
}

/// The largest difference divided by the largest expected value; infinity for NaN or other counts.
func difference(_ got: some Collection<Float>, _ expected: some Collection<Float>) -> Double {
  guard got.count == expected.count else { return .infinity }
  var worst = 0.0, largest = 0.0
  for (x, y) in zip(got, expected) {
    guard x.isFinite, y.isFinite else { return .infinity }
    worst = max(worst, Double((x - y).magnitude))
    largest = max(largest, Double(y.magnitude))
  }
  return largest > 0 ? worst / largest : worst
}

/// Weights with some tensors replaced.
struct ReplacedWeights: WeightSource {
  var base: any WeightSource
  /// The tensor to use instead, or nil to keep the one that is there.
  var replacement: @Sendable (TensorAddress, TensorView) -> TensorView?

  func view(_ address: TensorAddress) throws -> TensorView {
    let view = try base.view(address)
    return replacement(address, view) ?? view
  }
}
