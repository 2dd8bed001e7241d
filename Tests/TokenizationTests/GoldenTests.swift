import Foundation
import Testing
import Tokenization

/// Equality with the reference library, text by text.
@Suite struct GoldenTests {
  static let kinds = [
    "gpt2", "gpt2_prefixed", "smollm", "qwen2", "llama3", "llama2", "metaspace",
    "metaspace_always", "edges", "no_unknown", "stripped", "cl100k", "kimi", "anchors", "roberta",
    "unigram", "unigram_unknown", "tiny-qwen2",
  ].filter { kind in
    let demo = Fixtures.root.appendingPathComponent("demo/tiny-qwen2/tokenizer.json").path
    return kind != "tiny-qwen2" || FileManager.default.fileExists(atPath: demo)
  }

  @Test(arguments: kinds)
  func encodesAndDecodesAsTheReference(_ kind: String) throws {
    let tokenizer = try Fixtures.tokenizer(kind)
    for golden in try Fixtures.golden(kind) {
      let name = Comment(rawValue: golden.name)
      #expect(tokenizer.encode(bytes: golden.bytes) == golden.ids, name)
      #expect(tokenizer.encode(bytes: golden.bytes, addSpecialTokens: false) == golden.plain, name)
      let decoded = tokenizer.decode(golden.ids)
      #expect(decoded.utf8.elementsEqual((golden.decoded ?? "").utf8), name)
      let skipped = tokenizer.decode(golden.ids, skipSpecialTokens: true)
      #expect(skipped.utf8.elementsEqual((golden.skipped ?? "").utf8), name)
    }
  }

  @Test(arguments: kinds)
  func streamingGivesTheSameText(_ kind: String) throws {
    let tokenizer = try Fixtures.tokenizer(kind)
    for golden in try Fixtures.golden(kind) {
      for skips in [true, false] {
        var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: skips)
        var text = ""
        for id in golden.ids { text += decoder.append(id) }
        text += decoder.finish()
        let whole = tokenizer.decode(golden.ids, skipSpecialTokens: skips)
        #expect(text.utf8.elementsEqual(whole.utf8), Comment(rawValue: golden.name))
      }
    }
  }

  @Test func streamingHoldsBackIncompleteCharacters() throws {
    let tokenizer = try Fixtures.tokenizer("gpt2")
    // The first byte of a longer character, as its letter of the alphabet.
    let first = try #require(tokenizer.id(of: "ð"))
    let letter = try #require(tokenizer.id(of: "a"))
    var decoder = StreamingDecoder(tokenizer)
    #expect(decoder.append(first) == "")
    #expect(decoder.append(letter) == "\u{fffd}a")
    #expect(decoder.append(first) == "")
    #expect(decoder.finish() == "\u{fffd}")
  }

  @Test func idsOutOfRangeDecodeToNothing() throws {
    let tokenizer = try Fixtures.tokenizer("gpt2")
    #expect(tokenizer.decode([-1, Int.max, Int.min, tokenizer.vocabularySize]) == "")
    #expect(tokenizer.token(of: -1) == nil)
    #expect(tokenizer.token(of: tokenizer.vocabularySize) == nil)
    #expect(tokenizer.id(of: "no such token") == nil)
    var decoder = StreamingDecoder(tokenizer)
    #expect(decoder.append(1 << 40) == "")
  }

  @Test func namesTokens() throws {
    let tokenizer = try Fixtures.tokenizer("qwen2")
    #expect(tokenizer.vocabularySize == 701)
    #expect(tokenizer.id(of: "<|im_end|>") == 2)
    #expect(tokenizer.token(of: 2) == "<|im_end|>")
    #expect(tokenizer.specialTokens.map(\.id) == [0, 1, 2])
    #expect(tokenizer.addedTokens.map(\.text).last == "<tool_call>")
  }
}
