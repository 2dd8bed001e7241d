public import ChatTemplates
import Checkpoints
import Foundation
import Foundations
public import StrictJSON
public import Tokenization

/// Where a checkpoint's tokenizer comes from.
public enum TokenizerSource: Sendable {
  /// Files beside the tensors, or inside another file.
  case files(TokenizerFiles)
  /// The metadata of a GGUF file.
  case gguf(GGUFTokenizerMetadata, file: String)

  /// Files beside the tensors that belong to the tokenizer or to generation, copied as they are.
  public static let fileNames = [
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "merges.txt",
    "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "chat_template.json",
    "generation_config.json", "tekken.json", "tokenizer.model.v3", "spiece.model",
    "sentencepiece.bpe.model", "tiktoken.model", "qwen.tiktoken",
  ]

  /// Whether `name` is that of a licence or a notice, which is carried along with what is made.
  package static func isNotice(_ name: String) -> Bool {
    (name.hasPrefix("LICENSE") || name.hasPrefix("NOTICE")) && RelativeName.isValid(name)
      && !name.contains("/")
  }

  /// The most bytes of a licence or a notice.
  package static let mostNoticeBytes = 1 << 20

  /// Where the tokenizer of the checkpoint at `path` comes from; the tensors need not be sound.
  public static func open(_ path: String) throws -> TokenizerSource {
    switch try CheckpointLocation.detect(path) {
    case .gguf(let file): TokenizerSource(try GGUFCheckpoint(path: file).metadata, file: file)
    case .safetensorsDirectory(let directory), .pyTorchDirectory(let directory),
      .hdf5Directory(let directory), .torchDistributed(let directory),
      .megatronDirectory(let directory):
      .files(.directory(directory))
    case .safetensorsFile(let file), .pyTorchFile(let file), .hdf5File(let file):
      .files(.directory(URL(fileURLWithPath: file).deletingLastPathComponent().path))
    }
  }

  /// The tokenizer in the metadata of the GGUF file `file`.
  init(_ metadata: GGUFMetadata, file: String) {
    self =
      metadata.string("general.architecture") == SpikingBrainGGUF.architecture
      ? .files(SpikingBrainGGUF.files(metadata, path: file))
      : .gguf(GGUFTokenizerMetadata(metadata), file: file)
  }

  /// The tokenizer; throws when there is none or it cannot be read.
  public func load() throws -> Tokenizer {
    try naming {
      switch self {
      case .files(let files): try Tokenizer.load(files)
      case .gguf(let metadata, let file): try GGUFTokenizer(metadata, file: file).load()
      }
    }
  }

  /// The chat format; throws when there is none or it cannot be run.
  public func chatTemplate() throws -> ChatTemplate {
    let template = try naming {
      switch self {
      case .files(let files): try ChatTemplate(files)
      case .gguf(let metadata, let file): try GGUFTokenizer(metadata, file: file).chatTemplate()
      }
    }
    guard let template else { throw ModelFileError.noChatTemplate(path: path) }
    return template
  }

  /// The document `tokenizer_config.json`; nil where there is none.
  public func configuration() throws -> JSONValue? {
    try naming {
      switch self {
      case .files(let files): try files.json("tokenizer_config.json")
      case .gguf(let metadata, let file): try GGUFTokenizer(metadata, file: file).configuration()
      }
    }
  }

  /// The directory or file.
  private var path: String {
    switch self {
    case .files(let files): files.path
    case .gguf(_, let file): file
    }
  }

  /// Errors inside a tokenizer name a member of a document; this adds which document it is.
  private func naming<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as TokenizationError {
      switch error {
      case .noTokenizer, .unreadable, .malformed, .ranksWithoutPattern: throw error
      default:
        var file = path
        if case .files(let files) = self, Tokenizer.isPresent(in: files) {
          file = files.path(of: Tokenizer.mainFile(of: files))
        }
        throw ModelFileError.tokenizer(file: file, reason: error.description)
      }
    }
  }
}

extension ChatTemplate {
  /// The chat format among `files`; nil when there is none.
  init?(_ files: TokenizerFiles) throws {
    let config = "tokenizer_config.json", file = "chat_template.jinja"
    let text = try files.bytes(file)
    try self.init(
      text: text.map { String(decoding: $0, as: UTF8.self) },
      tokenizerConfig: try files.json(config) ?? [:],
      origin: files.path(of: text == nil ? config : file))
  }
}
