import Foundation
import StrictJSON
import Testing

@testable import Tokenization

/// Tokenizers in files of other libraries: SentencePiece, tekken, tiktoken.
@Suite struct ModelFileTests {
  static let kinds = [
    "spm_llama", "spm_gemma", "spm_unigram", "spm_unigram_bytes", "spm_unigram_suffix", "tekken",
    "qwen",
  ]

  private static func folder(_ kind: String) -> String {
    Fixtures.root.appendingPathComponent("Tests/Fixtures/tokenizers/files/\(kind)").path
  }

  private static func model(_ kind: String) throws -> [UInt8] {
    try #require(try TokenizerFiles.directory(folder(kind)).bytes("tokenizer.model"))
  }

  private static func load(
    _ model: [UInt8], _ others: [(name: String, bytes: [UInt8])] = []
  ) throws(TokenizationError) -> Tokenizer {
    try .load(.embedded([("tokenizer.model", model)] + others, file: "m"))
  }

  @Test(arguments: kinds)
  func idsAreThoseOfTheLibrary(_ kind: String) throws {
    let files = TokenizerFiles.directory(Self.folder(kind))
    let tokenizer = try Tokenizer.load(files)
    let cases = try #require(try files.json("golden.json")?.array)
    for golden in cases {
      let digits = try #require(golden["hex"]?.string).compactMap(\.hexDigitValue)
      let bytes = stride(from: 0, to: digits.count, by: 2).map {
        UInt8(digits[$0] << 4 | digits[$0 + 1])
      }
      let ids = try #require(golden["ids"]?.array).compactMap(\.int)
      #expect(tokenizer.encode(bytes: bytes) == ids, "\(golden["name"]?.string ?? "")")
    }
  }

  @Test(arguments: ["spm_llama", "spm_gemma", "tekken", "qwen"])
  func decodingGivesTheTextBack(_ kind: String) throws {
    let tokenizer = try Tokenizer.load(.directory(Self.folder(kind)))
    for text in ["The  river's bank", " 今天天气很好 👍🏽", "a\n\n\tb   "] {
      let ids = tokenizer.encode(text)
      #expect(tokenizer.decode(ids, skipSpecialTokens: true) == text)
    }
  }

  @Test func controlTokensOfTheTextCount() throws {
    let tokenizer = try Self.load(try Self.model("spm_llama"))
    let plain = tokenizer.encode("bank", addSpecialTokens: false)
    #expect(tokenizer.encode("bank</s>") == [1] + plain + [2])
    // The mark of a beginning is for the beginning.
    #expect(tokenizer.encode("</s>bank") != [1, 2] + plain)
    #expect(tokenizer.specialTokens.map(\.text) == ["<unk>", "<s>", "</s>"])
  }

  @Test func theConfigurationSaysWhatSurroundsATextAndAddsTokens() throws {
    let config = """
      {"tokenizer_class": "LlamaTokenizer", "add_bos_token": false, "add_eos_token": true,
       "eos_token": {"content": "<|end|>"}, "legacy": true,
       "added_tokens_decoder": {"700": {"content": "<|end|>", "special": true, "rstrip": true}}}
      """
    let tokenizer = try Self.load(
      try Self.model("spm_llama"), [("tokenizer_config.json", Array(config.utf8))])
    let plain = tokenizer.encode("bank", addSpecialTokens: false)
    #expect(tokenizer.encode("bank") == plain + [700])
    #expect(tokenizer.encode("<|end|>  bank") == [700] + plain + [700])
    let older = try Self.load(
      try Self.model("spm_llama"), [("added_tokens.json", Array(#"{"<|end|>": 700}"#.utf8))])
    #expect(older.encode("<|end|>") == [1, 700])
  }

  @Test func classesThatCountOtherwiseAreRefused() throws {
    let config = Array(#"{"tokenizer_class": "XLMRobertaTokenizer"}"#.utf8)
    #expect {
      try Self.load(try Self.model("spm_llama"), [("tokenizer_config.json", config)])
    } throws: { error in
      "\(error)".contains("tokenizer_config.json.tokenizer_class")
    }
  }

  @Test func ranksWithoutAPatternAreRefused() {
    #expect(throws: TokenizationError.ranksWithoutPattern(file: "m, embedded tokenizer.model")) {
      try Self.load(Array("IQ== 0\nIg== 1\n".utf8))
    }
  }

  @Test(
    arguments: [
      ([], "no pieces"), ([0x0a], "a cut number"), ([0x0a, 0x05, 0x0a], "past the end"),
      ([0x0b], "wire type 3"), ([0x00], "no field number"), (Array("{}".utf8), "wire type 3"),
      ([0x0a] + Array(repeating: 0xff, count: 10), "more than ten bytes"),
      ([0x08, 0x01], "pieces[0]"), ([0x0a, 0x00], "pieces[0] is empty"),
      ([0x0a, 0x05, 0x0a, 0x01, 0x61, 0x18, 0x09], "pieces[0].type"),
      ([0x0a, 0x08, 0x0a, 0x01, 0x61, 0x15, 0, 0, 0xc0, 0x7f], "pieces[0].score"),
      ([0x0a, 0x03, 0x0a, 0x01, 0xff], "pieces[0].piece"),
      ([0x0a, 0x03, 0x0a, 0x01, 0x61], "unk_id 0 is no unknown piece"),
    ] as [([UInt8], String)])
  func malformedModelsAreRefused(_ bytes: [UInt8], _ words: String) {
    #expect {
      try Self.load(bytes)
    } throws: { error in
      (error as? TokenizationError)?.location == "m, embedded tokenizer.model"
        && "\(error)".contains(words)
    }
  }

  @Test func whatChangesTheFunctionIsRefusedByName() throws {
    let model = try Self.model("spm_llama")
    // Later fields of a message count: trainer_spec.model_type, escape_whitespaces.
    for (bytes, words) in [
      ([0x12, 0x02, 0x18, 0x03], "trainer_spec.model_type"),
      ([0x1a, 0x02, 0x28, 0x00], "normalizer_spec.escape_whitespaces"),
      ([0x2a, 0x03, 0x12, 0x01, 0x61], "denormalizer_spec.precompiled_charsmap"),
      ([0x1a, 0x03, 0x12, 0x01, 0x61], "normalizer_spec.precompiled_charsmap"),
      ([0x0a, 0x06, 0x0a, 0x02, 0x02, 0x02, 0x18, 0x05], ".type: the value UNUSED"),
    ] as [([UInt8], String)] {
      #expect {
        try Self.load(model + bytes)
      } throws: { error in
        "\(error)".contains(words)
      }
    }
  }

  /// A piece of a model: its text, score and type.
  private static func piece(_ text: String, _ score: Float, _ kind: UInt8) -> [UInt8] {
    let text = Array(text.utf8)
    var body: [UInt8] = [0x0a, UInt8(text.count)]
    body += text
    body.append(0x15)
    withUnsafeBytes(of: score.bitPattern.littleEndian) { body += $0 }
    body += [0x18, kind]
    return [0x0a, UInt8(body.count)] + body
  }

  /// Ids by sentencepiece 0.2.3.
  @Test(
    arguments: [
      // What users defined is worth a tenth for each byte after its first.
      ("abc", [4, 1, 2]),
      // Beyond a sum of 100,000 it begins anew: small differences count.
      ("aacbb", [4, 5, 5, 2, 6, 6]),
    ])
  func unigramSumsAreThoseOfTheLibrary(_ text: String, _ ids: [Int]) throws {
    let pieces: [(String, Float, UInt8)] = [
      ("<unk>", 0, 2), ("ab", 0, 4), ("c", -1, 1), ("abc", -0.95, 1), ("▁", -1, 1),
      ("a", -70_000, 1), ("b", -0.004, 1), ("bb", -0.01, 1),
    ]
    let tokenizer = try Self.load(pieces.flatMap { Self.piece($0.0, $0.1, $0.2) })
    #expect(tokenizer.encode(text, addSpecialTokens: false) == ids)
  }

  @Test func cutAndChangedModelsNeverCrash() throws {
    let model = try Self.model("spm_unigram")
    for count in stride(from: 0, to: model.count, by: 97) {
      if let tokenizer = try? Self.load(Array(model[..<count])) { _ = tokenizer.encode("the ﬁ") }
    }
    var state: UInt64 = 1
    for _ in 0..<200 {
      var changed = model
      for _ in 0..<3 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        changed[Int(state >> 33) % changed.count] = UInt8(truncatingIfNeeded: state >> 20)
      }
      if let tokenizer = try? Self.load(changed) { _ = tokenizer.encode(" the e\u{301}\u{3000} ﬁ") }
    }
  }

  @Test(arguments: [
    (#"{"rank":1}"#, "rank 1 where 0 is due"), (#"{"rank":0,"token_bytes":"*"}"#, "token_bytes"),
    (#"{"rank":0,"token_bytes":""}"#, "not in base64"),
    (#"{"rank":0,"token_bytes":"AA=="}"#, "byte 1"),
  ])
  func malformedTekkenFilesAreRefused(_ entry: String, _ words: String) {
    let entry =
      entry.contains("token_bytes") ? entry : String(entry.dropLast()) + #","token_bytes":"AA=="}"#
    let text = """
      {"config": {"pattern": ".", "default_vocab_size": 2, "default_num_special_tokens": 1},
       "special_tokens": [{"rank": 0, "token_str": "<s>"}], "vocab": [\(entry)]}
      """
    #expect {
      try Tokenizer.load(.embedded([("tekken.json", Array(text.utf8))], file: "m"))
    } throws: { error in
      "\(error)".contains(words == "token_bytes" ? "not in base64" : words)
    }
  }

  @Test func tokensThatOnlyTheConfigurationListsAreAdded() throws {
    let document = try Fixtures.document("qwen2")
    let config = """
      {"added_tokens_decoder": {"2": {"content": "<|im_end|>", "lstrip": true, "special": true},
       "701": {"content": "<new>", "special": true}}}
      """
    let tokenizer = try Tokenizer.load(
      .embedded(
        [
          ("tokenizer.json", Array(document.compact.utf8)),
          ("tokenizer_config.json", Array(config.utf8)),
        ], file: "m"))
    #expect(tokenizer.encode("a<new>").last == 701)
    #expect(tokenizer.vocabularySize == 702)
    // The document's own options count.
    #expect(tokenizer.addedTokens.first { $0.id == 2 }?.stripsLeft == false)
  }
}
