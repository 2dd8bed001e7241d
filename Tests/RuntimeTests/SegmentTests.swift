import Architectures
import Kernels
import ModelFiles
import TestSupport
import Testing

@testable import Runtime

/// However a text is cut, it is read the same.
struct SegmentTests {
  private let directory: TemporaryDirectory
  private let tokens = someTokens(24)
  static let models = [
    "gla_swa", "spikingbrain", "mistral", "qwen2-windowed", "experts", "intra-layer",
  ]

  init() throws { directory = try TemporaryDirectory() }

  private func read(_ model: Model, in lengths: [Int]) throws -> [Float] {
    var state = DecodingState(for: model.description)
    var start = 0, logits: [Float] = []
    for length in lengths {
      logits += try model.logits(Array(tokens[start..<start + length]), on: &state)
      start += length
    }
    return logits
  }

  @Test(arguments: models)
  func `token by token or at once`(_ name: String) throws {
    let model = try synthesized(name, in: directory)
    let whole = try model.logits(tokens)
    #expect(difference(try model.logits(tokens, stepwise: true), whole) < 1e-5)
    #expect(difference(try read(model, in: Array(repeating: 1, count: 24)), whole) < 1e-5)
  }

  @Test(arguments: models)
  func `cut in two anywhere`(_ name: String) throws {
    let model = try synthesized(name, in: directory)
    let whole = try model.logits(tokens)
    for first in 1..<24 {
      #expect(difference(try read(model, in: [first, 24 - first]), whole) < 1e-5, "\(first)")
    }
  }

  @Test(arguments: [[5, 1, 6, 12], [1, 22, 1], [7, 7, 7, 3], [2, 3, 5, 7, 6, 1]])
  func `cut in several pieces`(_ lengths: [Int]) throws {
    for name in Self.models {
      let model = try synthesized(name, in: directory)
      #expect(difference(try read(model, in: lengths), try model.logits(tokens)) < 1e-5)
    }
  }

  @Test func `texts longer than a segment go through in pieces`() throws {
    let model = try synthesized("spikingbrain", in: directory)
    let tokens = someTokens(Model.segment + 9)
    var state = DecodingState(for: model.description)
    var seen: [Int] = []
    let hidden = try model.extend(&state, with: tokens) { layer, first, part in
      if layer == 0 { seen += [first, part.rows] }
    }
    #expect(seen == [0, Model.segment, Model.segment, 9])
    var two = DecodingState(for: model.description)
    _ = try model.extend(&two, with: Array(tokens[..<300]))
    let rest = try model.extend(&two, with: Array(tokens[300...]))
    #expect(difference(rest.values, hidden.rows(300..<tokens.count).values) < 1e-5)
  }

  @Test func `weights that pass through layer by layer give the same numbers`() throws {
    for name in ["spikingbrain", "experts", "intra-layer"] {
      let model = try synthesized(name, in: directory)
      let file = try ModelFile.open(directory(name))
      for bytes in [1 << 30, 1] {
        let bounded = try Model(file.description, weights: file, residency: .bounded(bytes: bytes))
        #expect(difference(try bounded.logits(tokens), try model.logits(tokens)) < 1e-6)
      }
    }
  }

  @Test func `a token outside of the vocabulary is refused`() throws {
    let model = try synthesized("gla_swa", in: directory)
    for token in [320, -1, .max] {
      #expect(throws: RuntimeError.tokenOutOfRange(token, text: nil, vocabulary: 320)) {
        try model.logits([0, token])
      }
    }
  }

  @Test func `no tokens are no work`() throws {
    let model = try synthesized("gla_swa", in: directory)
    var state = DecodingState(for: model.description)
    #expect(try model.extend(&state, with: []).rows == 0)
    #expect(state.position == 0)
  }
}
