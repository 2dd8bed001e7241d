import Foundation
import TestSupport
import Testing

@testable import Serving

/// States that make room for others, go to files, and come back.
struct StateStoreTests {
  private let tiny: TinyEngine
  private let scope = StateStore.openScope

  init() throws { tiny = try TinyEngine() }

  /// Asks for two turns of a conversation; returns what the second gave.
  private func turns(_ engine: Engine, between: () throws -> Void = {}) throws -> Answer {
    let first = tiny.ids("It is a truth universally acknowledged")
    let answer = try engine.ask(first, 4).answer.wait()
    try between()
    return try engine.ask(first + answer.tokens + tiny.ids(" and so"), 6).answer.wait()
  }

  @Test func `a store without room keeps nothing, and answers are the same`() throws {
    let kept = try tiny.engine(), none = try tiny.engine(states: tiny.states(memory: 0, in: nil))
    defer {
      kept.stop()
      none.stop()
    }
    let answers = (try turns(kept), try turns(none))
    #expect(answers.1.result?.cachedTokens == 0)
    #expect(none.states.figures.states == 0)
    #expect((answers.0.result?.cachedTokens ?? 0) > 0)
    #expect(answers.0.tokens == answers.1.tokens)
  }

  @Test func `states without room in memory go on from files, also in the next run`() throws {
    let first = try tiny.engine(states: tiny.states(memory: 0, in: "s"))
    let answer = try turns(first) { #expect(first.states.figures.memory == 0) }
    #expect((answer.result?.cachedTokens ?? 0) > 0)
    first.stop()
    let second = try tiny.engine(states: tiny.states(memory: 1 << 30, in: "s"))
    defer { second.stop() }
    #expect(second.states.figures.states == first.states.figures.states)
    #expect(second.states.figures.disk > 0)
    let again = try turns(second)
    #expect(again.tokens == answer.tokens)
    // All of the second turn's prompt was read by the first run.
    #expect(again.result?.cachedTokens == again.result?.promptTokens)
  }

  @Test func `a file that was changed is not gone on from`() throws {
    let first = try tiny.engine(states: tiny.states(memory: 1 << 30, in: "s"))
    let answer = try turns(first)
    first.stop()
    for name in try FileManager.default.contentsOfDirectory(atPath: tiny.directory("s")) {
      let path = tiny.directory("s") + "/" + name
      var bytes = try Files.bytes(path)
      bytes[bytes.count - 5] ^= 1
      try Data(bytes).write(to: URL(fileURLWithPath: path))
    }
    let second = try tiny.engine(states: tiny.states(memory: 1 << 30, in: "s"))
    defer { second.stop() }
    let again = try second.ask(tiny.ids("It is a truth universally acknowledged"), 4).answer.wait()
    #expect(again.result?.cachedTokens == 0)
    #expect(try turns(second).tokens == answer.tokens)
  }

  @Test func `what was used last stays`() throws {
    let engine = try tiny.engine()
    let prompts = (0..<4).map { tiny.ids("\($0) is a number") }
    for prompt in prompts { _ = try engine.ask(prompt, 0).answer.wait() }
    engine.stop()
    let size = engine.states.figures.memory / 4
    let store = try tiny.states(memory: 3 * size + size / 2, in: nil)
    for (index, prompt) in prompts.enumerated() {
      let found = try #require(engine.states.find(prompt, scope: scope))
      if index == 3 { #expect(store.find(prompts[0], scope: scope) != nil) }
      store.insert(found.state, after: prompt[...], scope: scope)
    }
    #expect(prompts.map { store.find($0, scope: scope) != nil } == [true, false, true, true])
  }

  @Test func `the longest beginning counts, and no other scope's`() throws {
    let engine = try tiny.engine()
    defer { engine.stop() }
    let long = tiny.ids("It is a truth universally acknowledged, that a single man")
    for count in [3, 6, 9] { _ = try engine.ask(Array(long.prefix(count)), 0).answer.wait() }
    #expect(engine.states.find(long, scope: scope)?.count == 9)
    #expect(engine.states.find(Array(long.prefix(8)), scope: scope)?.count == 6)
    #expect(engine.states.find(Array(long.prefix(2)), scope: scope) == nil)
    #expect(engine.states.find(long, scope: StateStore.scope(ofKey: "k")) == nil)
  }
}
