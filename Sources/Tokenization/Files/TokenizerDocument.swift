import StrictJSON

/// The members of a `tokenizer.json` that is put together from another form of tokenizer.
///
/// Every other form becomes this document and is then read as a file would be, so there is one
/// reader, and what an export writes is what was run.
struct TokenizerDocument {
  var addedTokens: [JSONValue] = []
  var normalizer: JSONValue = .null
  var preTokenizer: JSONValue = .null
  var prefix: [(token: String, id: Int)] = []
  var suffix: [(token: String, id: Int)] = []
  var decoder: JSONValue
  var unknown: String?
  var fallsBackToBytes = false
  var ignoresMerges = false
  var vocabulary: JSONObject
  var merges: [JSONValue]

  /// A byte-level tokenizer of a family.
  init(_ preset: PreTokenizerPreset, vocabulary: JSONObject, merges: [JSONValue]) {
    normalizer = preset.normalizer
    preTokenizer = preset.preTokenizer
    decoder = [
      "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true,
    ]
    ignoresMerges = preset.ignoresMerges
    self.vocabulary = vocabulary
    self.merges = merges
  }

  /// A tokenizer in the manner of SentencePiece: spaces become "▁", unknown scalars bytes.
  init(
    sentencePiece vocabulary: JSONObject, merges: [JSONValue], unknown: String?, hasPrefix: Bool
  ) {
    let mark: JSONValue = "▁"
    let replace: JSONValue = [
      "type": "Replace", "pattern": ["String": " "], "content": mark,
    ]
    normalizer = [
      "type": "Sequence",
      "normalizers": .array(
        hasPrefix ? [["type": "Prepend", "prepend": mark], replace] : [replace]),
    ]
    var steps: [JSONValue] = [
      ["type": "Replace", "pattern": ["String": mark], "content": " "],
      ["type": "ByteFallback"], ["type": "Fuse"],
    ]
    if hasPrefix {
      steps.append(["type": "Strip", "content": " ", "start": 1, "stop": 0])
    }
    decoder = ["type": "Sequence", "decoders": .array(steps)]
    self.unknown = unknown
    fallsBackToBytes = true
    self.vocabulary = vocabulary
    self.merges = merges
  }

  var json: JSONValue {
    [
      "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": .array(addedTokens),
      "normalizer": normalizer, "pre_tokenizer": preTokenizer, "post_processor": postProcessor,
      "decoder": decoder, "model": model,
    ]
  }

  /// An entry of `added_tokens`.
  /// - Parameter takesSpaces: whether white space behind it is part of it.
  static func addedToken(
    _ text: String, id: Int, special: Bool, takesSpaces: Bool = false
  ) -> JSONValue {
    [
      "id": .int(id), "content": .string(text), "single_word": false, "lstrip": false,
      "rstrip": .bool(takesSpaces), "normalized": false, "special": .bool(special),
    ]
  }

  private var model: JSONValue {
    [
      "type": "BPE", "dropout": nil, "unk_token": unknown.map { .string($0) } ?? nil,
      "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
      "fuse_unk": .bool(unknown != nil), "byte_fallback": .bool(fallsBackToBytes),
      "ignore_merges": .bool(ignoresMerges), "vocab": .object(vocabulary),
      "merges": .array(merges),
    ]
  }

  private var postProcessor: JSONValue {
    if prefix.isEmpty, suffix.isEmpty { return .null }
    func special(_ type: Int) -> ((token: String, id: Int)) -> JSONValue {
      { ["SpecialToken": ["id": .string($0.token), "type_id": .int(type)]] }
    }
    func text(_ name: String, _ type: Int) -> JSONValue {
      ["Sequence": ["id": .string(name), "type_id": .int(type)]]
    }
    let single = prefix.map(special(0)) + [text("A", 0)] + suffix.map(special(0))
    let second = prefix.map(special(1)) + [text("B", 1)] + suffix.map(special(1))
    let names = (prefix + suffix).map { token, id -> (String, JSONValue) in
      let entry: JSONValue = [
        "id": .string(token), "ids": .ints([id]), "tokens": [.string(token)],
      ]
      return (token, entry)
    }
    return [
      "type": "TemplateProcessing", "single": .array(single), "pair": .array(single + second),
      "special_tokens": .object(JSONObject(names)),
    ]
  }
}
