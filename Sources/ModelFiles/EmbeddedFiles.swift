public import StrictJSON
public import Tokenization

/// The files of a tokenizer and of generation, and notices, that another file holds whole.
public struct EmbeddedFiles: Sendable {
  /// Names and bytes, in the order of `TokenizerSource.fileNames`; notices after them.
  public let files: [(name: String, bytes: [UInt8])]
  /// The file that holds them.
  public let path: String

  /// The bytes of `name`; nil when it is not there.
  public func bytes(_ name: String) -> [UInt8]? { files.first { $0.name == name }?.bytes }

  /// The document `name`; nil when it is not there.
  public func json(_ name: String) throws(ModelFileError) -> JSONValue? {
    guard let bytes = bytes(name) else { return nil }
    do {
      return try JSONParser.parse(bytes, limit: .tokenizer)
    } catch {
      throw .invalidJSON(file: "\(path), embedded \(name)", reason: error.what)
    }
  }

  /// The tokenizer, from the same files as in a directory.
  public func tokenizer() throws -> Tokenizer {
    if let document = try json("tokenizer.json") { return try Tokenizer(tokenizerJSON: document) }
    guard let vocabulary = try json("vocab.json"), let merges = bytes("merges.txt") else {
      throw TokenizationError.noTokenizer(
        directory: path, lookedFor: Tokenizer.lookedFor,
        found: Tokenizer.foreignFiles.filter { bytes($0) != nil })
    }
    return try Tokenizer(
      vocabulary: vocabulary, merges: String(decoding: merges, as: UTF8.self),
      config: try json("tokenizer_config.json"))
  }

  /// The chat format; nil when there is none.
  public func chatTemplate() throws -> ChatTemplate? {
    var config = try json("tokenizer_config.json")?.object ?? JSONObject()
    var origin = "tokenizer_config.json"
    if let template = bytes("chat_template.jinja") {
      origin = "chat_template.jinja"
      config["chat_template"] = .string(String(decoding: template, as: UTF8.self))
    }
    return try ChatTemplate(
      tokenizerConfig: .object(config), origin: "\(path), embedded \(origin)")
  }
}
