import Foundation
public import Tokenization

/// Where a checkpoint's tokenizer comes from.
public enum TokenizerSource: Sendable {
  /// Files beside the tensors.
  case directory(String)
  /// The metadata of a GGUF file.
  case gguf(GGUFTokenizerMetadata, file: String)

  /// Files beside the tensors that belong to the tokenizer or to generation, copied as they are.
  public static let fileNames = [
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "merges.txt",
    "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "chat_template.json",
    "generation_config.json",
  ]

  /// The tokenizer; throws when there is none or it cannot be read.
  public func load() throws -> Tokenizer {
    switch self {
    case .directory(let path): try Tokenizer.load(directory: path)
    case .gguf(let metadata, _): try Tokenizer(gguf: metadata)
    }
  }
}
