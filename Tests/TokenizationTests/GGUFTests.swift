import StrictJSON
import Testing

@testable import Tokenization

@Suite struct GGUFTests {
  /// The metadata a GGUF file of a byte-level fixture would have.
  private func metadata(_ kind: String, pre: String) throws -> GGUFTokenizerMetadata {
    let document = try Fixtures.document(kind)
    let tokenizer = try Tokenizer(tokenizerJSON: document)
    let ids = 0..<tokenizer.vocabularySize
    var metadata = GGUFTokenizerMetadata(
      model: "gpt2", tokens: try ids.map { try #require(tokenizer.token(of: $0)) })
    let special = Set(tokenizer.specialTokens.map(\.id))
    let added = Set(tokenizer.addedTokens.map(\.id))
    metadata.pre = pre
    metadata.tokenTypes = ids.map { special.contains($0) ? 3 : added.contains($0) ? 4 : 1 }
    metadata.merges = try #require(document["model"]?["merges"]?.array).map { merge in
      try #require(merge.array).compactMap(\.string).joined(separator: " ")
    }
    metadata.bosID = 0
    metadata.eosID = 2
    return metadata
  }

  private func pieces() throws -> GGUFTokenizerMetadata {
    let file = try Fixtures.json("sentencepiece.gguf.json")
    var metadata = GGUFTokenizerMetadata(
      model: "llama", tokens: try #require(file["tokens"]?.array).compactMap(\.string))
    metadata.scores = file["scores"]?.array?.compactMap { $0.double.map(Float.init) }
    metadata.tokenTypes = file["tokenTypes"]?.array?.compactMap(\.int)
    metadata.bosID = file["bosID"]?.int
    metadata.eosID = file["eosID"]?.int
    metadata.unknownID = file["unknownID"]?.int
    return metadata
  }

  @Test(arguments: [
    ("gpt2", "gpt-2"), ("smollm", "smollm"), ("qwen2", "qwen2"), ("llama3", "llama-bpe"),
  ])
  func namesOfPatternsGiveTheSameIDs(_ kind: String, _ pre: String) throws {
    let tokenizer = try Tokenizer(gguf: metadata(kind, pre: pre))
    for golden in try Fixtures.golden(kind) {
      #expect(tokenizer.encode(bytes: golden.bytes) == golden.ids, "\(golden.name)")
    }
  }

  @Test func mergesFromScoresGiveWhatSentencePieceGives() throws {
    let tokenizer = try Tokenizer(gguf: pieces())
    for golden in try Fixtures.golden("sentencepiece") {
      #expect(tokenizer.encode(bytes: golden.bytes) == golden.ids, "\(golden.name)")
      #expect(
        tokenizer.decode(golden.plain).utf8.elementsEqual(golden.bytes), "\(golden.name)")
    }
  }

  /// As Phi-3's own tokenizer.json has it; GGUF leaves it out.
  @Test func specialTokensOfPhi3TakeTheSpacesBehindThem() throws {
    var metadata = try pieces()
    #expect(
      try Tokenizer(gguf: metadata).encode("</s> \na") != Tokenizer(gguf: metadata).encode("</s>a"))
    metadata.spacelessTokens = ["<unk>", "<s>", "<|endoftext|>"]
    let tokenizer = try Tokenizer(gguf: metadata)
    #expect(tokenizer.encode("</s> \na") == tokenizer.encode("</s>a"))
    #expect(tokenizer.encode("<s> \na") != tokenizer.encode("<s>a"))
  }

  @Test func endTokensAreAddedWhenAsked() throws {
    var metadata = try metadata("gpt2", pre: "gpt-2")
    metadata.addsBOS = true
    metadata.addsEOS = true
    #expect(try Tokenizer(gguf: metadata).encode("") == [0, 2])
  }

  @Test func unknownNamesAreErrors() throws {
    for pre in ["qwen-2", "kimi-k2", "", nil] {
      #expect {
        var metadata = try metadata("gpt2", pre: "")
        metadata.pre = pre
        _ = try metadata.tokenizerJSON()
      } throws: { error in
        "\(error)".contains(pre.map { "\"\($0)\"" } ?? "tokenizer.ggml.pre")
          && "\(error)".contains("put the original model's tokenizer.json beside the file")
      }
    }
    var other = try metadata("gpt2", pre: "gpt-2")
    other.model = "t5"
    #expect(throws: TokenizationError.unknownModel("t5", known: ["gpt2", "llama"])) {
      try other.tokenizerJSON()
    }
  }

  /// All of llama.cpp's names that stand for patterns; which is which is checked by some texts.
  @Test func everyKnownNameGivesATokenizer() throws {
    let names = PreTokenizerPreset.all.flatMap(\.ggufNames)
    #expect(Set(names).count == names.count && names.count > 70)
    for name in names {
      let tokenizer = try Tokenizer(gguf: metadata("gpt2", pre: name))
      let text = "Don't 12345 naïve, 漢字かな\n\n  ok?"
      #expect(tokenizer.decode(tokenizer.encode(text), skipSpecialTokens: true) == text, "\(name)")
    }
  }

  @Test(arguments: [
    ("smaug-bpe", "a 1234", ["a", " ", "123", "4"]), ("dbrx", "a 1234", ["a", " ", "123", "4"]),
    ("qwen2", "1234", ["1", "2", "3", "4"]), ("default", "1234!?", ["123", "4", "!?"]),
    ("gpt-4o", "fooBar's", ["foo", "Bar's"]),
    ("deepseek-llm", "a 12, b \n", ["a", " ", "12", ",", " b", " ", "\n"]),
    ("deepseek-v3", "漢a1234", ["漢", "a", "123", "4"]),
    ("bailingmoe", "'s !x", ["'s", " !", "x"]), ("falcon", "x=12345", ["x", "=", "123", "45"]),
    ("bloom", "a, b", ["a", ",", " b"]), ("jais-2", "a     b", ["a", "    ", " b"]),
  ])
  func namesMeanTheirPatterns(_ name: String, _ text: String, _ words: [String]) throws {
    let tokenizer = try Tokenizer(gguf: metadata("gpt2", pre: name))
    var pieces = Pieces(Array(text.utf8), startsInput: true)
    tokenizer.preTokenizer.apply(to: &pieces)
    let found = pieces.ranges.map { range in
      let letters = String(decoding: pieces.bytes[range], as: UTF8.self).unicodeScalars
      return String(decoding: letters.compactMap(ByteAlphabet.byte(of:)), as: UTF8.self)
    }
    #expect(found == words)
  }

  @Test func anotherModelsTokenizerIsTold() throws {
    let gguf = try metadata("gpt2", pre: "gpt-2")
    #expect(try gguf.firstDifference(from: Fixtures.tokenizer("gpt2")) == nil)
    #expect(try gguf.firstDifference(from: Fixtures.tokenizer("llama3")) == 0)
    var padded = gguf
    padded.tokens.append("[PAD700]")
    #expect(try padded.firstDifference(from: Fixtures.tokenizer("gpt2")) == nil)
  }

  @Test func missingAndMismatchedEntriesAreErrors() throws {
    func fails(_ change: (inout GGUFTokenizerMetadata) -> Void) throws -> Bool {
      var metadata = try metadata("gpt2", pre: "gpt-2")
      change(&metadata)
      do {
        _ = try Tokenizer(gguf: metadata)
        return false
      } catch {
        return true
      }
    }
    #expect(try !fails { _ in })
    #expect(try fails { $0.pre = nil })
    #expect(try fails { $0.merges = nil })
    #expect(try fails { $0.merges = ["a"] })
    #expect(try fails { $0.tokenTypes?.removeLast() })
    #expect(try fails { $0.scores = [1] })
    #expect(try fails { $0.eosID = 1 << 40 })
    #expect(try fails { $0.tokens[5] = $0.tokens[6] })
    #expect(try fails { $0.model = "llama" })
  }

  @Test func configurationsNameTheTokens() throws {
    var metadata = try metadata("gpt2", pre: "gpt-2")
    metadata.eotID = 1
    metadata.chatTemplate = "{{ bos_token }}"
    #expect(
      try metadata.tokenizerConfigJSON() == [
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|endoftext|>",
        "eos_token": "<|im_end|>", "clean_up_tokenization_spaces": false,
        "chat_template": "{{ bos_token }}",
      ])
    #expect(metadata.generationConfigJSON() == ["bos_token_id": 0, "eos_token_id": [2, 1]])
  }
}
