import Foundation
import Kernels
import Pipeline
import Runtime
import Synchronization
import TestSupport
import Testing
import Tokenization

@testable import Serving

/// Several texts at a time, without sockets.
struct EngineTests {
  private let tiny: TinyEngine
  private let prompts: [String] = [
    "It is a truth", "universally acknowledged, that a single man in possession of a good fortune",
    "Well, Prince,", "so Genoa and Lucca are now just family estates", "However little known",
  ]

  init() throws { tiny = try TinyEngine() }

  @Test(arguments: [1, 3, 16])
  func `each text is what it is alone`(_ sequences: Int) throws {
    let engine = try tiny.engine { $0.sequences = sequences }
    defer { engine.stop() }
    let asked = try prompts.enumerated().map { index, prompt in
      (tiny.ids(prompt), 4 + 3 * index, try engine.ask(tiny.ids(prompt), 4 + 3 * index).answer)
    }
    for (prompt, count, answer) in asked {
      let alone = try tiny.alone(prompt, count)
      #expect(answer.wait().tokens == alone)
      #expect(answer.result?.generatedTokens == alone.count)
      #expect(answer.text == tiny.tokenizer.decode(alone, skipSpecialTokens: true))
    }
  }

  @Test func `a turn goes on from what was read before`() throws {
    let engine = try tiny.engine()
    defer { engine.stop() }
    let first = tiny.ids(prompts[1])
    let answer = try engine.ask(first, 6).answer.wait()
    #expect(answer.result?.cachedTokens == 0)
    let next = first + answer.tokens + tiny.ids(prompts[2])
    let second = try engine.ask(next, 6).answer.wait()
    // The last token of the answer was told, and not read.
    #expect(second.result?.cachedTokens == first.count + 5)
    #expect(second.tokens == (try tiny.alone(next, 6)))
    // The same prompt again is read already.
    let again = try engine.ask(first, 6).answer.wait()
    #expect(again.result?.cachedTokens == first.count)
    #expect(again.tokens == answer.tokens)
  }

  @Test func `what one key had read no other goes on from`() throws {
    let engine = try tiny.engine()
    defer { engine.stop() }
    let prompt = tiny.ids(prompts[1])
    for (scope, cached) in [("a", 0), ("b", 0), ("a", prompt.count)] {
      let answer = try engine.ask(prompt, 3) { $0.scope = scope }.answer.wait()
      #expect(answer.result?.cachedTokens == cached)
    }
  }

  @Test func `an answer ends before a stop and its place is free`() throws {
    let engine = try tiny.engine { $0.sequences = 1 }
    defer { engine.stop() }
    let prompt = tiny.ids(prompts[0])
    let whole = try engine.ask(prompt, 12).answer.wait().text
    let stop = String(whole.dropFirst(5).prefix(3))
    let cut = try engine.ask(prompt, 12) { $0.stops = [stop] }.answer.wait()
    #expect(cut.result?.reason == .stop)
    #expect(cut.text == whole.components(separatedBy: stop).first)
  }

  @Test func `a request that is withdrawn makes room`() throws {
    let engine = try tiny.engine {
      $0.sequences = 1
      $0.queue = 1
    }
    defer { engine.stop() }
    let prompt = tiny.ids(prompts[0])
    let long = try engine.ask(prompt, 1 << 20)
    while long.answer.tokens.isEmpty { usleep(1000) }
    let waiting = try engine.ask(prompt, 2)
    #expect(throws: ServingError.queueFull(waiting: 1)) { try engine.ask(prompt, 2) }
    long.ticket.cancel()
    #expect(waiting.answer.wait().tokens.count == 2)
    let told = long.answer.tokens.count
    usleep(20_000)
    #expect(long.answer.tokens.count == told)
    #expect(long.answer.result == nil)
  }

  @Test func `a request that takes too long fails, and none is taken while stopping`() throws {
    let engine = try tiny.engine { $0.seconds = 0.05 }
    let answer = try engine.ask(tiny.ids(prompts[0]), 1 << 20).answer.wait()
    #expect(answer.failure == .timeLimit(seconds: 0.05))
    engine.refuseMore()
    #expect(throws: ServingError.stopping) { try engine.ask([1], 1) }
    #expect(throws: ServingError.emptyPrompt) { try engine.ask([], 1) }
    engine.stop()
  }

  @Test func `what has not finished when there is no more time fails, and is counted`() throws {
    let engine = try tiny.engine { $0.sequences = 1 }
    let running = try engine.ask(tiny.ids(prompts[0]), 1 << 20)
    while running.answer.tokens.isEmpty { usleep(1000) }
    let waiting = try engine.ask(tiny.ids(prompts[1]), 1)
    engine.refuseMore()
    #expect(!engine.hasEnded)
    engine.giveUp()
    #expect(running.answer.wait().failure == .stopping)
    #expect(waiting.answer.wait().failure == .stopping)
    engine.stop()
    #expect(engine.hasEnded)
    #expect(engine.counters.withLock { $0.cut } == 2)
  }

  @Test func `a token that the model does not have is refused`() throws {
    let engine = try tiny.engine()
    defer { engine.stop() }
    #expect(throws: RuntimeError.self) { try engine.ask([1, 1 << 30], 1) }
  }

  @Test func `a prompt is scored as the model sees it`() throws {
    let engine = try tiny.engine { $0.chunk = 5 }
    defer { engine.stop() }
    let prompt = tiny.ids(prompts[3])
    let answer = try engine.ask(prompt, 0) {
      $0.scoresPrompt = true
      $0.alternatives = 2
    }.answer.wait()
    var state = DecodingState(for: tiny.runnable.model.description)
    let hidden = try tiny.runnable.model.extend(&state, with: prompt)
    let expected = try tiny.runnable.model.scores(
      of: prompt, at: 1..<prompt.count, hidden: hidden)
    #expect(answer.scores.map(\.id) == prompt)
    #expect(answer.scores.first?.logProbability == nil)
    for (score, expected) in zip(answer.scores.dropFirst(), expected) {
      #expect(abs((score.logProbability ?? 0) - expected.logProbability) < 1e-3)
      #expect(score.alternatives.count == 2)
      #expect((score.alternatives.first?.id == score.id) == expected.isGreedy)
    }
    #expect(answer.result?.generatedTokens == 0)
  }
}
