import Foundation
import StrictJSON
import Testing

@testable import Tokenization

/// Tokenizers in directories.
@Suite struct FilesTests {
  /// Runs `body` with a directory that holds the given files.
  private func directory(
    _ files: [String: String], _ body: (String) throws -> Void
  ) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (name, text) in files {
      try Data(text.utf8).write(to: folder.appendingPathComponent(name))
    }
    try body(folder.path)
  }

  /// A fixture in its older form.
  private func olderForm(of kind: String) throws -> [String: String] {
    let model = try #require(try Fixtures.document(kind)["model"])
    let merges = try #require(model["merges"]?.array).map { merge in
      try #require(merge.array).compactMap(\.string).joined(separator: " ")
    }
    return [
      "vocab.json": try #require(model["vocab"]).compact,
      "merges.txt": "#version: 0.2\n" + merges.joined(separator: "\n") + "\n",
    ]
  }

  @Test(arguments: [("gpt2", "GPT2TokenizerFast"), ("qwen2", "Qwen2Tokenizer")])
  func readsVocabularyAndMerges(_ kind: String, _ name: String) throws {
    let tokens = try #require(try Fixtures.document(kind)["added_tokens"]?.array)
    let added = tokens.map { token in (String(token["id"]?.int ?? -1), token) }
    let config: JSONValue = [
      "tokenizer_class": .string(name), "added_tokens_decoder": .object(JSONObject(added)),
      "eos_token": ["content": "<|im_end|>"], "bos_token": nil,
    ]
    var files = try olderForm(of: kind)
    files["tokenizer_config.json"] = config.pretty
    try directory(files) { path in
      let tokenizer = try Tokenizer.load(.directory(path))
      for golden in try Fixtures.golden(kind) {
        #expect(tokenizer.encode(bytes: golden.bytes) == golden.ids, "\(golden.name)")
      }
    }
  }

  @Test func specialTokensOfTheConfigurationCount() throws {
    var files = try olderForm(of: "gpt2")
    files["tokenizer_config.json"] = """
      {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": true, "bos_token": "<|endoftext|>"}
      """
    try directory(files) { path in
      let tokenizer = try Tokenizer.load(.directory(path))
      #expect(tokenizer.encode("<|endoftext|>") == [0, 0])
      #expect(tokenizer.encode("<|im_end|>", addSpecialTokens: false) != [2])
    }
  }

  @Test func withoutAClassNothingIsGuessed() throws {
    let files = try olderForm(of: "gpt2")
    try directory(files) { path in
      #expect(throws: TokenizationError.missing(path: "tokenizer_config.json.tokenizer_class")) {
        try Tokenizer.load(.directory(path))
      }
    }
  }

  @Test func anEmptyDirectoryIsAnErrorThatSaysWhatWasLookedFor() throws {
    try directory([:]) { path in
      #expect {
        try Tokenizer.load(.directory(path))
      } throws: { error in
        "\(error)".contains("tokenizer.json, vocab.json with merges.txt")
      }
    }
  }

  @Test func tokenizersInOtherFormsAreNamed() throws {
    try directory(["spiece.model": "x", "tiktoken.model": "", "vocab.json": "{}"]) { path in
      #expect {
        try Tokenizer.load(.directory(path))
      } throws: { error in
        "\(error)".contains("found spiece.model, tiktoken.model, a form that is not read")
          && "\(error)".contains("AutoTokenizer.from_pretrained")
      }
    }
  }

  @Test(arguments: ["", "{", "[1,]", #"{"model":{"vocab":{"a":0,"a":1}}}"#])
  func badJSONIsAnErrorThatNamesTheFile(_ text: String) throws {
    try directory(["tokenizer.json": text]) { path in
      #expect {
        try Tokenizer.load(.directory(path))
      } throws: { error in
        (error as? TokenizationError)?.location?.hasSuffix("tokenizer.json") ?? false
      }
    }
  }

  @Test func malformedMergesNameTheLine() throws {
    var files = try olderForm(of: "gpt2")
    files["merges.txt"] = "#version: 0.2\na b\na b c\n"
    files["tokenizer_config.json"] = #"{"tokenizer_class": "GPT2Tokenizer"}"#
    try directory(files) { path in
      #expect(throws: TokenizationError.malformedMerges(line: 3, text: "a b c")) {
        try Tokenizer.load(.directory(path))
      }
    }
  }
}
