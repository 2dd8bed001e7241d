/// How words become ids.
enum WordModel: Sendable {
  case bytePair(BytePairModel)
  case unigram(UnigramModel)

  /// Reads the member `model` of a tokenizer file.
  init(_ field: Field) throws(TokenizationError) {
    // Old files leave the type out; then it is BPE exactly when there are merges.
    let type = try field.optional("type")?.string ?? "BPE"
    switch type {
    case "BPE": self = .bytePair(try BytePairModel(field))
    case "Unigram": self = .unigram(try UnigramModel(field))
    default:
      throw .unsupportedComponent(path: field.path, type: type, supported: ["BPE", "Unigram"])
    }
  }

  /// The model's tokens.
  var vocabulary: Vocabulary {
    switch self {
    case .bytePair(let model): model.vocabulary
    case .unigram(let model): model.vocabulary
    }
  }

  /// An encoder for one text.
  var encoder: any WordEncoder {
    switch self {
    case .bytePair(let model): BytePairEncoder(model)
    case .unigram(let model): UnigramEncoder(model)
    }
  }
}

/// Encodes the words of a text.
protocol WordEncoder {
  /// Appends the ids of the word `bytes[range]`.
  mutating func encode(_ bytes: [UInt8], _ range: Range<Int>, into ids: inout [Int])
}
