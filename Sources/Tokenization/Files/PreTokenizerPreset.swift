import StrictJSON

/// A published family of byte-level tokenizers, for files that only name it: GGUF's
/// `tokenizer.ggml.pre`, and `tokenizer_class` beside a `vocab.json`.
struct PreTokenizerPreset: Sendable {
  /// The values of `tokenizer.ggml.pre` that mean this family.
  var ggufNames: [String]
  /// The values of `tokenizer_class` that mean this family; a final `Fast` is left out.
  var classes: [String] = []
  var normalizer: JSONValue = .null
  var preTokenizer: JSONValue
  /// Whether a word that is a token is taken whole.
  var ignoresMerges = false
  /// Whether the beginning-of-text token is added when the file does not say.
  var addsBOS = false

  static let all = [gpt2, smollm, qwen2, llama3, tekken]

  static let gpt2 = PreTokenizerPreset(
    ggufNames: ["gpt-2", "phi-2", "mpt", "olmo", "jais"], classes: ["GPT2Tokenizer"],
    preTokenizer: byteLevel(splits: true))

  static let smollm = PreTokenizerPreset(
    ggufNames: ["smollm", "starcoder", "refact", "codeshell"],
    preTokenizer: sequence([
      ["type": "Digits", "individual_digits": true], byteLevel(splits: true),
    ]))

  static let qwen2 = PreTokenizerPreset(
    ggufNames: ["qwen2", "deepseek-r1-qwen", "megrez"], classes: ["Qwen2Tokenizer"],
    normalizer: ["type": "NFC"],
    preTokenizer: sequence([split(words(digits: #"\p{N}"#)), byteLevel(splits: false)]))

  static let llama3 = PreTokenizerPreset(
    ggufNames: ["llama3", "llama-v3", "llama-bpe"],
    preTokenizer: sequence([split(words(digits: #"\p{N}{1,3}"#)), byteLevel(splits: false)]),
    ignoresMerges: true, addsBOS: true)

  static let tekken = PreTokenizerPreset(
    ggufNames: ["tekken"],
    preTokenizer: sequence([split(casedWords), byteLevel(splits: false)]),
    ignoresMerges: true, addsBOS: true)

  /// The pattern of Llama 3 and Qwen 2, which differ in how many digits make a word.
  private static func words(digits: String) -> String {
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// The pattern of Mistral's later tokenizers: a change from lower to upper case starts a word.
  private static let casedWords: String = {
    let upper = #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#
    let lower = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#
    let mark = #"[^\r\n\p{L}\p{N}]?"#
    return "\(mark)\(upper)*\(lower)+|\(mark)\(upper)+\(lower)*|"
      + #"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }()

  private static func sequence(_ parts: [JSONValue]) -> JSONValue {
    ["type": "Sequence", "pretokenizers": .array(parts)]
  }

  private static func split(_ pattern: String) -> JSONValue {
    [
      "type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated",
      "invert": false,
    ]
  }

  private static func byteLevel(splits: Bool) -> JSONValue {
    [
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
      "use_regex": .bool(splits),
    ]
  }
}
