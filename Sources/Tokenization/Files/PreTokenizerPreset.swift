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

  /// Splits at the matches of each pattern in turn, and last by GPT-2's if `thenGPT2`.
  init(
    _ ggufNames: [String], classes: [String] = [], normalizer: JSONValue = .null,
    patterns: [String], thenGPT2: Bool = false, ignoresMerges: Bool = false, addsBOS: Bool = false
  ) {
    self.ggufNames = ggufNames
    self.classes = classes
    self.normalizer = normalizer
    let byteLevel = Self.byteLevel(splits: thenGPT2)
    preTokenizer =
      patterns.isEmpty
      ? byteLevel
      : ["type": "Sequence", "pretokenizers": .array(patterns.map(Self.split) + [byteLevel])]
    self.ignoresMerges = ignoresMerges
    self.addsBOS = addsBOS
  }

  /// The family that `tokenizer.ggml.pre` names; nil if it is not known.
  static func named(gguf name: String) -> PreTokenizerPreset? {
    all.first { $0.ggufNames.contains(name) }
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
