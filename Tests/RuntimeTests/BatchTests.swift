import Architectures
import TestSupport
import Testing

@testable import Kernels
@testable import Runtime

/// Texts that are decoded together.
struct BatchTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Texts of different lengths, one of them not begun.
  @Test(arguments: ["gla_swa", "spikingbrain", "mistral", "intra-layer", "experts", "carved"])
  func `each has the numbers that it has alone`(_ name: String) throws {
    let model = try synthesized(name, in: directory)
    let starts = [0, 3, 11].map { someTokens($0, seed: UInt64($0) + 1) }
    var alone = try starts.map { start in
      var state = DecodingState(for: model.description)
      _ = try model.extend(&state, with: start)
      return state
    }
    var together = alone
    for step in 0..<9 {
      let tokens = someTokens(3, seed: 40 + UInt64(step))
      let hidden = try model.step(&together, with: tokens)
      let logits = try model.logits(hidden, rows: 0..<3)
      for text in 0..<3 {
        let expected = try model.logits([tokens[text]], on: &alone[text])
        withExtendedLifetime(logits) { #expect(difference(logits[text], expected) < 1e-5) }
        #expect(together[text].position == alone[text].position)
      }
    }
  }
}
