public import StrictJSON
public import Tokenization

public struct GGUFTokenizerMetadata: Sendable {
  init(
    model: String, pre: String?, tokens: [String], scores: [Float]?, tokenTypes: [Int]?,
    merges: [String]?, bos: Int?, eos: Int?, unknown: Int?, padding: Int?, eot: Int?,
    addsBOS: Bool?, addsEOS: Bool?, addsSpacePrefix: Bool?, chatTemplate: String?
  ) {}
  public func tokenizerJSON() throws -> JSONValue { .null }
  public func tokenizerConfigJSON() throws -> JSONValue { .null }
  public func generationConfigJSON() -> JSONValue { .null }
}
public extension Tokenizer {
  init(gguf: GGUFTokenizerMetadata) throws { try self.init(tokenizerJSON: .null) }
  static func load(directory: String) throws -> Tokenizer {
    try Tokenizer(tokenizerJSON: .object(JSONFile.object(directory + "/tokenizer.json")))
  }
}

public struct ChatMessage { public init(role: String, content: String) {} }
public struct ChatTemplate { public func render(_ m: [ChatMessage], addGenerationPrompt: Bool) throws -> String { "" } }
