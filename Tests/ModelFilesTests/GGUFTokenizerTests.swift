import ChatTemplates
import Checkpoints
import StrictJSON
import TestSupport
import Testing
import Tokenization

@testable import ModelFiles

/// Where the tokenizer of a GGUF file comes from.
struct GGUFTokenizerTests {
  private let directory: TemporaryDirectory
  private static let tokens = ["a", "b", "ab", "<s>"]

  init() throws { directory = try TemporaryDirectory() }

  private func tokenizer(_ pre: String?, tokens: [String] = tokens) -> GGUFTokenizer {
    var metadata = GGUFTokenizerMetadata(model: "gpt2", tokens: tokens)
    metadata.pre = pre
    metadata.merges = ["a b"]
    metadata.bosID = 3
    metadata.chatTemplate = "{{ bos_token }}of the file"
    return GGUFTokenizer(metadata, file: directory("m.gguf"))
  }

  /// A `tokenizer.json` without the merge, so that its ids differ.
  private func writeBeside(_ tokens: [String] = tokens) throws {
    let vocabulary = JSONObject(tokens.enumerated().map { ($0.element, .int($0.offset)) })
    let document: JSONValue = [
      "model": ["type": "BPE", "vocab": .object(vocabulary), "merges": []]
    ]
    try directory.write("tokenizer.json", document.compact)
  }

  /// Of Phi-3 all but three take the white space behind them; files of others say nothing of the kind.
  @Test(arguments: [("phi3", true), ("llama", false)])
  func `the architecture tells which tokens take white space`(
    _ architecture: String, _ takesSpaces: Bool
  ) throws {
    var writer = GGUFWriter()
    writer.set("general.architecture", architecture)
    writer.set("tokenizer.ggml.model", "llama")
    writer.set("tokenizer.ggml.tokens", ["<unk>", "<s>", "<|end|>", "a"])
    let path = try directory.write("m.gguf", writer.bytes)
    let metadata = GGUFTokenizerMetadata(try GGUFCheckpoint(path: path).metadata)
    #expect(metadata.spacelessTokens?.contains("<s>") == (takesSpaces ? true : nil))
    #expect(metadata.spacelessTokens?.contains("<|end|>") == (takesSpaces ? false : nil))
  }

  @Test(arguments: ["gpt-2", "kimi-k2", "", nil])
  func `the file beside counts if it is of the same model`(_ pre: String?) throws {
    try writeBeside()
    #expect(try tokenizer(pre).load().encode("ab") == [0, 1])
    #expect(try tokenizer(pre).notes().first?.contains("beside m.gguf") == true)
    #expect(try tokenizer(pre).chatTemplate()?.render([]) == "<s>of the file")
    try directory.write("chat_template.jinja", "beside")
    #expect(try tokenizer(pre).chatTemplate()?.render([]) == "beside")
  }

  @Test(arguments: ["kimi-k2", "", nil])
  func `without one, an unknown pattern is no tokenizer`(_ pre: String?) throws {
    #expect {
      try tokenizer(pre).load()
    } throws: {
      "\($0)".contains("put the original model's tokenizer.json beside the file")
    }
    let notes = try tokenizer(pre).notes()
    #expect(notes.count == 1 && notes[0].contains("The result has no tokenizer"))
    #expect(try tokenizer(pre).chatTemplate()?.render([]) == "<s>of the file")
  }

  @Test func `known patterns are used, and the stand-in is told`() throws {
    #expect(try tokenizer("gpt-2").load().encode("ab") == [2])
    #expect(try tokenizer("gpt-2").notes() == [])
    #expect(try tokenizer("default").load().encode("ab") == [2])
    #expect(try tokenizer("default").notes().first?.contains("stand-in") == true)
  }

  @Test func `another model's tokenizer is not taken`() throws {
    try writeBeside(["a", "c", "ac", "<s>"])
    #expect(try tokenizer("gpt-2").load().encode("ab") == [2])
    #expect(try tokenizer("gpt-2").notes().first?.contains("of another model") == true)
    #expect {
      try tokenizer("kimi-k2").load()
    } throws: {
      "\($0)".contains("of another model: id 1 is \"c\" there and \"b\" in the GGUF file")
    }
  }

  @Test func `a damaged one is named`() throws {
    try directory.write("tokenizer.json", "{")
    #expect(throws: TokenizationError.self) { try tokenizer("kimi-k2").load() }
    #expect(try tokenizer("gpt-2").load().encode("ab") == [2])
  }

  @Test func `damaged metadata is an error, not a missing tokenizer`() throws {
    #expect(throws: TokenizationError.self) {
      try tokenizer("gpt-2", tokens: ["a", "b", "ab", "a"]).notes()
    }
  }
}
