import StrictJSON
import Testing

@testable import Tokenization

/// One test per way a tokenizer file can be wrong.
@Suite struct MalformationTests {
  private func error(_ document: JSONValue) -> TokenizationError? {
    do {
      _ = try Tokenizer(tokenizerJSON: document)
      return nil
    } catch {
      return error
    }
  }

  private func model(_ members: [(String, JSONValue)]) throws -> JSONValue {
    var model = try #require(try Fixtures.document("gpt2")["model"]?.object)
    for (key, value) in members { model[key] = value }
    return try Fixtures.document("gpt2", with: [("model", .object(model))])
  }

  @Test func documentsOfOtherKinds() {
    #expect(error([]) == .missing(path: "model"))
    #expect(error("text") == .missing(path: "model"))
    #expect(error(["model": 1]) == .missing(path: "model.vocab"))
    #expect(
      error(["model": ["vocab": [], "merges": []]])
        == .wrongType(path: "model.vocab", expected: "an object", found: "an array"))
  }

  @Test(arguments: ["normalizer", "pre_tokenizer", "post_processor", "decoder"])
  func unknownComponentsAreNamed(_ member: String) throws {
    let document = try Fixtures.document("gpt2", with: [(member, ["type": "Nonesuch"])])
    guard case .unsupportedComponent(let path, let type, let supported) = error(document) else {
      Issue.record("accepted")
      return
    }
    #expect(path == member && type == "Nonesuch" && !supported.isEmpty)
  }

  @Test func nestedComponentsHaveAPath() throws {
    let nested: JSONValue = [
      "type": "Sequence",
      "pretokenizers": [
        ["type": "Digits"],
        ["type": "Split", "pattern": ["Regex": "(?<=a)"], "behavior": "Isolated"],
      ],
    ]
    let found = error(try Fixtures.document("gpt2", with: [("pre_tokenizer", nested)]))
    #expect(found?.location == "pre_tokenizer.pretokenizers[1].pattern.Regex")
  }

  @Test func unknownOptionsAndBehavioursAreErrors() throws {
    for component: JSONValue in [
      ["type": "Split", "pattern": ["String": "a"], "behavior": "Isolate"],
      ["type": "Split", "pattern": ["String": "a"], "behavior": "Isolated", "lazy": true],
      ["type": "ByteLevel", "add_prefix_space": 1],
      ["type": "Metaspace", "replacement": "ab"],
      ["type": "Metaspace", "replacement": "_", "prepend_scheme": "often"],
      ["type": "Split", "pattern": ["String": ""], "behavior": "Removed"],
      ["type": "Sequence"],
    ] {
      #expect(error(try Fixtures.document("gpt2", with: [("pre_tokenizer", component)])) != nil)
    }
  }

  @Test func otherModelsAndOptionsAreErrors() throws {
    #expect(
      error(try model([("type", "WordPiece")]))
        == .unsupportedComponent(path: "model", type: "WordPiece", supported: ["BPE", "Unigram"]))
    for option in ["dropout", "continuing_subword_prefix", "end_of_word_suffix"] {
      #expect(error(try model([(option, "##")])) != nil)
    }
    #expect(
      error(try model([("unk_token", "<no>")]))
        == .absentToken(path: "model.unk_token", token: "<no>"))
  }

  @Test func mergesMustBePairsOfTokens() throws {
    #expect(
      error(try model([("merges", ["a ☃"])])) == .mergeOfAbsentToken(index: 0, token: "☃"))
    #expect(
      error(try model([("merges", ["h e", "q q"])])) == .mergeOfAbsentToken(index: 1, token: "qq"))
    for merges: JSONValue in [["ab"], ["a b c"], [["a"]], [["a", "b", "c"]], [1], [[1, 2]], 7] {
      #expect(error(try model([("merges", merges)])) != nil)
    }
  }

  @Test func idsMustBeUniqueAndInRange() throws {
    let limit = TokenizationLimits.vocabularySize
    func vocabulary(_ value: JSONValue) throws -> TokenizationError? {
      error(try model([("vocab", value), ("merges", [])]))
    }
    #expect(try vocabulary(["a": 0, "b": 0]) == .idTaken(id: 0, first: "a", second: "b"))
    #expect(try vocabulary(["a": -1]) == .idOutOfRange(token: "a", id: -1, limit: limit))
    #expect(
      try vocabulary(["a": 4_000_000_000])
        == .idOutOfRange(token: "a", id: 4_000_000_000, limit: limit))
    #expect(
      try vocabulary(["a": "0"])
        == .wrongType(path: "model.vocab.a", expected: "an id", found: #""0""#))
  }

  @Test func gapsAreAccepted() throws {
    let vocabulary: JSONValue = ["a": 1, "b": 1000, "ab": 7]
    let document: JSONValue = ["model": ["vocab": vocabulary, "merges": ["a b"]]]
    let tokenizer = try Tokenizer(tokenizerJSON: document)
    #expect(tokenizer.vocabularySize == 1001)
    #expect(tokenizer.encode("abba") == [7, 1000, 1])
    #expect(tokenizer.decode([7, 500, 1000]) == "ab b")
  }

  @Test func canonicallyEquivalentTokensDiffer() throws {
    let vocabulary: JSONValue = ["e": 0, "\u{301}": 1, "e\u{301}": 2, "\u{e9}": 3]
    let document: JSONValue = ["model": ["vocab": vocabulary, "merges": ["e \u{301}"]]]
    let tokenizer = try Tokenizer(tokenizerJSON: document)
    #expect(tokenizer.encode("\u{e9}e\u{301}") == [3, 2])
    #expect(tokenizer.id(of: "\u{e9}") == 3)
  }

  @Test func absurdSizesAreErrors() throws {
    let long = String(repeating: "a", count: TokenizationLimits.tokenBytes + 1)
    guard case .tooLarge = error(try model([("vocab", [long: 0]), ("merges", [])])) else {
      Issue.record("accepted a token of \(long.count) bytes")
      return
    }
  }

  @Test func addedTokensMustAgreeWithTheVocabulary() throws {
    func added(_ id: Int, _ text: String) throws -> TokenizationError? {
      let token: JSONValue = ["id": .int(id), "content": .string(text), "special": true]
      return error(try Fixtures.document("gpt2", with: [("added_tokens", [token])]))
    }
    #expect(try added(700, "<new>") == nil)
    #expect(
      try added(5, "<|endoftext|>") == .tokenTaken(token: "<|endoftext|>", first: 0, second: 5))
    #expect(try added(0, "<new>") == .idTaken(id: 0, first: "<|endoftext|>", second: "<new>"))
  }

  /// Ids are printed: those that stand for no token must not get that far.
  @Test(arguments: [-1, 700, 4_000_000_000, 1 << 62])
  func idsAroundATextMustBeTokens(_ id: Int) throws {
    let template: JSONValue = [
      "type": "TemplateProcessing",
      "single": [["SpecialToken": ["id": "<x>"]], ["Sequence": ["id": "A"]]],
      "special_tokens": ["<x>": ["ids": .ints([id])]],
    ]
    for processor: JSONValue in [
      template, ["type": "RobertaProcessing", "cls": ["<x>", 0], "sep": ["<y>", .int(id)]],
      ["type": "BertProcessing", "cls": ["<x>", .int(id)], "sep": ["<y>", 0]],
    ] {
      #expect(
        error(try Fixtures.document("gpt2", with: [("post_processor", processor)]))
          == .idOfNoToken(id: id, path: "post_processor"))
    }
    let roberta: JSONValue = ["type": "RobertaProcessing", "cls": ["<x>"], "sep": ["<y>", 0]]
    #expect(error(try Fixtures.document("gpt2", with: [("post_processor", roberta)])) != nil)
  }

  @Test func tablesOfReplacementsAreChecked() throws {
    for table in [
      "", "AAA=", "no base64!", "AAAAAA==", "CAAAAAAAAAA=", "AwAAAAAAAA==", "BAAAAAAAAAD/",
    ] {
      let normalizer: JSONValue = ["type": "Precompiled", "precompiled_charsmap": .string(table)]
      let found = error(try Fixtures.document("gpt2", with: [("normalizer", normalizer)]))
      #expect(found?.location == "normalizer.precompiled_charsmap", "\(table)")
    }
    // A trie of one unit that leads out of itself.
    let normalizer: JSONValue = [
      "type": "Precompiled", "precompiled_charsmap": "BAAAAAD///8A",
    ]
    let tokenizer = try Tokenizer(
      tokenizerJSON: Fixtures.document("gpt2", with: [("normalizer", normalizer)]))
    #expect(tokenizer.decode(tokenizer.encode("a\u{301}b")) == "a\u{301}b")
  }

  @Test func unigramModelsNeedPiecesScoresAndAnUnknown() throws {
    func unigram(_ members: [(String, JSONValue)]) -> TokenizationError? {
      var model = JSONObject([
        ("type", "Unigram"), ("unk_id", 0), ("vocab", [["<unk>", 0], ["a", -1.5]]),
      ])
      for (key, value) in members { model[key] = value }
      return error(["model": .object(model)])
    }
    #expect(unigram([]) == nil)
    #expect(unigram([("unk_id", nil)]) == .missing(path: "model.unk_id"))
    #expect(unigram([("unk_id", 2)]) == .idOfNoToken(id: 2, path: "model.unk_id"))
    #expect(unigram([("unk_id", -1)]) == .idOfNoToken(id: -1, path: "model.unk_id"))
    for vocabulary: JSONValue in [
      [], [["a"]], [["a", "b"]], [["a", 0], ["a", 0]], [["a", .number("1e999")]], ["a": 0],
      [[1, 0]],
      [[.string(String(repeating: "a", count: TokenizationLimits.pieceBytes + 1)), 0]],
    ] {
      #expect(unigram([("vocab", vocabulary)]) != nil)
    }
    #expect(unigram([("dropout", 0.1)]) != nil)
  }

  @Test func templatesNeedOneText() throws {
    let template: JSONValue = ["type": "TemplateProcessing", "single": [], "special_tokens": [:]]
    #expect(error(try Fixtures.document("gpt2", with: [("post_processor", template)])) != nil)
    let unknown: JSONValue = [
      "type": "TemplateProcessing", "single": [["SpecialToken": ["id": "<x>"]]],
      "special_tokens": [:],
    ]
    #expect(
      error(try Fixtures.document("gpt2", with: [("post_processor", unknown)]))
        == .missing(path: "post_processor.special_tokens.<x>"))
  }
}
