public import Foundations

/// Why a tokenizer cannot be used.
public enum TokenizationError: ReportableError, Equatable {
  // Files
  case noTokenizer(directory: String, lookedFor: [String], found: [String])
  case unreadable(file: String, reason: String)
  case malformed(file: String, reason: String)
  case ranksWithoutPattern(file: String)
  case malformedMerges(line: Int, text: String)
  case tooLarge(String, Int, limit: Int)
  // tokenizer.json; a path names the member, as in `pre_tokenizer.pretokenizers[1].pattern`
  case missing(path: String)
  case wrongType(path: String, expected: String, found: String)
  case unsupportedComponent(path: String, type: String, supported: [String])
  case unsupportedOption(path: String, value: String, reason: String)
  case unsupportedPattern(String, reason: String, position: Int, path: String)
  // Vocabularies
  case idOfNoToken(id: Int, path: String)
  case idOutOfRange(token: String, id: Int, limit: Int)
  case idTaken(id: Int, first: String, second: String)
  case tokenTaken(token: String, first: Int, second: Int)
  case mergeOfAbsentToken(index: Int, token: String)
  case absentToken(path: String, token: String)
  // GGUF metadata and vocab.json
  case unknownModel(String, known: [String])
  case unknownPreTokenizer(String, known: [String])
  case missingMetadata(key: String, reason: String)
  case otherTokenizer(file: String, id: Int, token: String, expected: String)
  case metadataLength(key: String, expected: Int, found: Int)

  public var what: String {
    switch self {
    case .noTokenizer(let directory, let lookedFor, let found):
      "\(directory) has no tokenizer: looked for \(lookedFor.joined(separator: ", "))"
        + (found.isEmpty
          ? "" : "; found \(found.joined(separator: ", ")), a form that is not read")
    case .unreadable(let file, let reason): "cannot read \(file): \(reason)"
    case .malformed(_, let reason): reason
    case .ranksWithoutPattern:
      "the file holds ranks of tiktoken's form, and nothing says by which pattern text is split"
    case .malformedMerges(let line, let text):
      "line \(line) of the merges is not two tokens: \"\(Self.shortened(text))\""
    case .tooLarge(let what, let size, let limit):
      "the \(what) has size \(size), above the limit of \(limit)"
    case .missing: "the member is missing"
    case .wrongType(_, let expected, let found): "expected \(expected), found \(found)"
    case .unsupportedComponent(_, let type, let supported):
      "component \"\(type)\" is not supported; supported here: "
        + supported.joined(separator: ", ")
    case .unsupportedOption(_, let value, let reason):
      "the value \(Self.shortened(value)) is not supported: \(reason)"
    case .unsupportedPattern(let text, let reason, let position, _):
      "pattern \"\(Self.shortened(text))\": \(reason) (after \(position) characters)"
    case .idOutOfRange(let token, let id, let limit):
      "token \"\(Self.shortened(token))\" has id \(id), which is not in 0..<\(limit)"
    case .idOfNoToken(let id, _): "no token has id \(id)"
    case .idTaken(let id, let first, let second):
      "id \(id) belongs to \"\(Self.shortened(first))\" and to \"\(Self.shortened(second))\""
    case .tokenTaken(let token, let first, let second):
      "token \"\(Self.shortened(token))\" has two ids, \(first) and \(second)"
    case .mergeOfAbsentToken(let index, let token):
      "merge \(index) needs \"\(Self.shortened(token))\", which is not in the vocabulary"
    case .absentToken(_, let token):
      "token \"\(Self.shortened(token))\" is not in the vocabulary"
    case .unknownModel(let name, let known):
      "tokenizer model \"\(name)\" is not supported; known: \(known.joined(separator: ", "))"
    case .unknownPreTokenizer(let name, let known):
      "pre-tokenizer \"\(Self.shortened(name))\" is not known; known: "
        + known.joined(separator: ", ")
    case .missingMetadata(_, let reason): "the entry is missing: \(reason)"
    case .otherTokenizer(_, let id, let token, let expected):
      "is the tokenizer of another model: id \(id) is \"\(Self.shortened(token))\" there and "
        + "\"\(Self.shortened(expected))\" in the GGUF file"
    case .metadataLength(_, let expected, let found):
      "expected \(expected) elements, one per token, found \(found)"
    }
  }

  public var location: String? {
    switch self {
    case .malformed(let file, _), .ranksWithoutPattern(let file): file
    case .missing(let path), .wrongType(let path, _, _), .unsupportedComponent(let path, _, _),
      .unsupportedOption(let path, _, _), .unsupportedPattern(_, _, _, let path),
      .absentToken(let path, _), .idOfNoToken(_, let path):
      path
    case .missingMetadata(let key, _), .metadataLength(let key, _, _): key
    case .otherTokenizer(let file, _, _, _): file
    default: nil
    }
  }

  public var advice: String? {
    switch self {
    case .unknownModel, .unknownPreTokenizer, .missingMetadata, .otherTokenizer:
      "put the original model's tokenizer.json beside the file"
    case .ranksWithoutPattern: "put the model's tokenizer.json beside it"
    case .noTokenizer(let directory, _, let found) where !found.isEmpty:
      "with transformers: AutoTokenizer.from_pretrained(\"\(directory)\")"
        + ".save_pretrained(\"\(directory)\") writes tokenizer.json"
    default: nil
    }
  }

  /// Names from a file can be long: what is printed of them is not.
  private static func shortened(_ text: String) -> String {
    text.count <= 120 ? text : text.prefix(117) + "…"
  }
}
