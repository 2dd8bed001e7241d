import ModelFiles
import Runtime
import TestSupport
import Testing
import Tokenization

@testable import Verification

/// Where texts of tasks are cut into tokens.
struct TaskEncoderTests {
  private let tokenizer: Tokenizer

  init() throws { tokenizer = try ModelFile.open(Repository.tinyQwen2).tokenizer.load() }

  private func encoder(_ maximumLength: Int = 512, end: Int? = 0) -> TaskEncoder {
    TaskEncoder(tokenizer, beginning: nil, end: end, maximumLength: maximumLength)
  }

  private func ids(_ text: String) -> [Int] { tokenizer.encode(text) }

  @Test func `white space at the end of a context is scored`() throws {
    let pair = try encoder().pair("It is a truth ", "universally", place: "f:1")
    #expect(pair.tokens == ids("It is a truth universally"))
    #expect(pair.contextCount == ids("It is a truth").count)
    #expect(!pair.isTruncated)
  }

  @Test func `an empty context is the token that begins or ends a text`() throws {
    #expect(
      try encoder().pair("", "of", place: "f:1")
        == .init(tokens: [0] + ids("of"), contextCount: 1, isTruncated: false))
    let written = try encoder().pair("", "<|endoftext|>of", place: "f:1")
    #expect(written == .init(tokens: [0] + ids("of"), contextCount: 1, isTruncated: false))
    #expect(throws: TaskError.noContext(place: "f:1")) {
      try encoder(end: nil).pair("", "of", place: "f:1")
    }
  }

  @Test func `what is too long loses its beginning`() throws {
    let whole = ids("It is a truth universally"), scored = whole.count - ids("It is a truth").count
    let pair = try encoder(whole.count - 2).pair("It is a truth", " universally", place: "f:1")
    #expect(pair.tokens == Array(whole.dropFirst()))
    #expect(pair.contextCount == whole.count - 1 - scored)
    #expect(pair.isTruncated)
    // All but the last token of a text are read.
    #expect(
      try !encoder(whole.count - 1).pair("It is a truth", " universally", place: "f:1").isTruncated)
    let prompt = try encoder(10).prompt(
      "It is a truth universally acknowledged", generated: 8, place: "f:1")
    #expect(prompt.tokens == Array(ids("It is a truth universally acknowledged").suffix(2)))
    #expect(prompt.isTruncated)
  }

  @Test func `nothing to score, to go on with or to read is refused`() throws {
    #expect(throws: TaskError.noContinuation(place: "f:1")) {
      try encoder().pair("a", "", place: "f:1")
    }
    #expect(throws: TaskError.noContinuation(place: "f:1")) {
      try encoder().pair("", "<|endoftext|>", place: "f:1")
    }
    #expect(throws: TaskError.noContext(place: "f:1")) {
      try encoder().pair(" \n", "a", place: "f:1")
    }
    #expect(throws: TaskError.noPrompt(place: "f:1")) {
      try encoder().prompt("", generated: 1, place: "f:1")
    }
    #expect(throws: TaskError.self) {
      try encoder(2).pair("a", " universally acknowledged", place: "f:1")
    }
  }

  @Test func `choices share what they begin with, but for the last token of the context`() {
    func pair(_ tokens: [Int], _ count: Int) -> TaskEncoder.Pair {
      .init(tokens: tokens, contextCount: count, isTruncated: false)
    }
    #expect(TaskRun.sharedCount([pair([1, 2, 3, 4], 3), pair([1, 2, 3, 5, 6], 3)]) == 2)
    #expect(TaskRun.sharedCount([pair([1, 2, 3, 4], 3), pair([1, 9, 3, 5], 3)]) == 1)
    #expect(TaskRun.sharedCount([pair([1, 2], 1), pair([1, 3], 1)]) == 0)
    #expect(TaskRun.sharedCount([pair([1, 2, 3, 4, 5], 4), pair([1, 2, 3, 9], 2)]) == 1)
  }

  @Test func `sharing changes no figure`() throws {
    let file = try ModelFile.open(Repository.tinyQwen2)
    let model = try Model(file.description, weights: file)
    var run = TaskRun(model, encoder: encoder(), endTokens: [0])
    let choices = [" universally", " acknowledged that", "."]
    let together = try run.likelihoods(of: choices, after: "It is a truth", place: "f:1")
    for (choice, found) in zip(choices, together) {
      let alone = try run.likelihoods(of: [choice], after: "It is a truth", place: "f:1")[0]
      #expect(abs(alone.logProbability - found.logProbability) < 1e-4)
      #expect(alone.isGreedy == found.isGreedy)
    }
    #expect(run.truncated == 0)
  }
}
