import Architectures
import TestSupport
import Testing

@testable import Kernels
@testable import Mixers
@testable import Runtime

/// What a model remembers.
struct DecodingStateTests {
  private let directory: TemporaryDirectory
  private let tokens = someTokens(24)

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: ["gla_swa", "spikingbrain", "mistral", "intra-layer"], [1, 5, 6, 7, 13, 23])
  func `saved and restored, it goes on identically`(_ name: String, _ cut: Int) throws {
    let model = try synthesized(name, in: directory)
    let restored = try expectRestoredGoesOn(model, tokens, cut: cut)
    #expect(restored.position == 24)
  }

  @Test(arguments: ["gla_swa", "spikingbrain", "mistral", "intra-layer"])
  func `copies are independent`(_ name: String) throws {
    let model = try synthesized(name, in: directory)
    var state = DecodingState(for: model.description)
    _ = try model.logits(Array(tokens[..<9]), on: &state)
    let before = state.saved
    var copy = state
    _ = try model.logits(someTokens(15, seed: 8), on: &state)
    #expect(copy.saved == before)
    let rest = Array(tokens[9...])
    let logits = try model.logits(rest, on: &copy)
    #expect(difference(logits, try model.logits(tokens).suffix(15 * 320)) < 1e-5)
  }

  @Test func `numbers of another model do not fit`() throws {
    let model = try synthesized("gla_swa", in: directory)
    var state = DecodingState(for: model.description)
    _ = try model.logits(tokens, on: &state)
    let description = model.description
    #expect(DecodingState(for: description, saved: [], position: 24) == nil)
    #expect(DecodingState(for: description, saved: state.saved, position: -1) == nil)
    #expect(DecodingState(for: description, saved: state.saved, position: 3) == nil)
    var short = state.saved
    short[0].removeLast()
    #expect(DecodingState(for: description, saved: short, position: 24) == nil)
    var other = description
    other.layers.swapAt(0, 1)
    #expect(DecodingState(for: other, saved: state.saved, position: 24) == nil)
  }

  /// More tokens than a segment, so that only the last piece counts.
  @Test func `the last token alone is the last of all`() throws {
    let model = try synthesized("spikingbrain", in: directory)
    let tokens = someTokens(Model.segment + 9)
    var whole = DecodingState(for: model.description), last = whole
    let all = try model.extend(&whole, with: tokens)
    let one = try model.extend(&last, with: tokens, lastOnly: true)
    #expect(one.rows == 1 && last.position == whole.position && last.saved == whole.saved)
    withExtendedLifetime((all, one)) {
      #expect(Array(one.elements) == Array(all.elements.suffix(one.columns)))
    }
    #expect(last.last == whole.last)
  }

  @Test func `its size is constant once the windows are full`() throws {
    let model = try synthesized("gla_swa", in: directory)
    var state = DecodingState(for: model.description)
    _ = try model.logits(tokens, on: &state)
    let bytes = state.byteCount
    #expect(bytes == 4 * (2 * 2 * 16 * 16 + 2 * 6 * 32))
    _ = try model.logits(someTokens(200), on: &state)
    #expect(state.byteCount == bytes)
  }

  @Test func `decoding writes the cache in place`() throws {
    let model = try synthesized("mistral", in: directory)
    var state = DecodingState(for: model.description)
    func keys() -> UnsafePointer<Float>? { state.layers[1].cache?.segments.map(\.keys).min() }
    _ = try model.logits(tokens, on: &state)
    let before = keys()
    for token in tokens { _ = try model.logits([token], on: &state) }
    #expect(keys() == before)
  }

  @Test func `positions before the restored ones matter`() throws {
    let model = try synthesized("spikingbrain", in: directory)
    var state = DecodingState(for: model.description)
    let fresh = try model.logits([7], on: &state)
    _ = try model.logits(tokens, on: &state)
    #expect(difference(try model.logits([7], on: &state), fresh) > 1e-2)
  }
}
