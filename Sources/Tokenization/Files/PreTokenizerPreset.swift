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

  /// The names are llama.cpp's, and what they mean is what it does: patterns in their original form
  /// where it approximates one. Names that need more than patterns are left out.
  static let all =
    [gpt2, smollm, qwen2, qwen2Bare, qwen35, llama3, llama3Merged, jais2, tekken, gpt4o]
    + [bailing, seedCoder, exaoneMoE, youtu, deepSeekLLM, deepSeekCoder, deepSeekV3, falcon]
    + [bloom, viking, miniCPM5, byDefault]

  /// The name of llama.cpp's stand-in for files that do not say how text is split.
  static let defaultName = "default"

  private static let gpt2 = PreTokenizerPreset(
    [
      "gpt-2", "phi-2", "mpt", "olmo", "jais", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de",
      "gigachat", "a.x-4.0", "mellum", "modern-bert", "exaone4", "trillion", "granite-docling",
    ], classes: ["GPT2Tokenizer"], patterns: [], thenGPT2: true)

  private static let smollm: PreTokenizerPreset = {
    var preset = PreTokenizerPreset(
      [
        "smollm", "starcoder", "refact", "codeshell", "command-r", "exaone", "minerva-7b",
        "mellum2",
      ], patterns: [], thenGPT2: true)
    preset.preTokenizer = [
      "type": "Sequence",
      "pretokenizers": [["type": "Digits", "individual_digits": true], preset.preTokenizer],
    ]
    return preset
  }()

  static let qwen2 = PreTokenizerPreset(
    ["qwen2", "deepseek-r1-qwen", "megrez"], classes: ["Qwen2Tokenizer"],
    normalizer: ["type": "NFC"], patterns: [words(digits: #"\p{N}"#)])

  /// Qwen 2's pattern without its normal form.
  private static let qwen2Bare = PreTokenizerPreset(
    ["stablelm2", "hunyuan", "solar-open", "grok-2", "kormo", "f2llmv2"],
    patterns: [words(digits: #"\p{N}"#)])

  private static let qwen35 = PreTokenizerPreset(
    ["qwen35"], normalizer: ["type": "NFC"],
    patterns: [words(letters: #"[\p{L}\p{M}]"#, others: #"\p{L}\p{M}\p{N}"#, digits: #"\p{N}"#)])

  private static let llama3 = PreTokenizerPreset(
    [
      "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
      "jina-v5-nano",
    ], patterns: [words(digits: #"\p{N}{1,3}"#)], ignoresMerges: true, addsBOS: true)

  /// Llama 3's pattern where merges count and no token is added.
  private static let llama3Merged = PreTokenizerPreset(
    ["smaug-bpe", "dbrx", "glm4", "chatglm-bpe"], patterns: [words(digits: #"\p{N}{1,3}"#)])

  /// Runs of white space are cut into powers of two.
  private static let jais2 = PreTokenizerPreset(
    ["jais-2"],
    patterns: [
      words(
        digits: #"\p{N}{1,3}"#,
        spaces: [512, 256, 128, 64, 32, 16, 8, 4].map { #"\s{\#($0)}(?!\S)"# }
          .joined(separator: "|") + #"|\s{1,2}(?!\S)|\s{1}"#)
    ])

  private static let tekken = PreTokenizerPreset(
    ["tekken"], patterns: [casedWords(digits: #"\p{N}"#)], ignoresMerges: true, addsBOS: true)

  private static let gpt4o = PreTokenizerPreset(
    ["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
    patterns: [casedWords(digits: #"\p{N}{1,3}"#, suffix: #"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"#)])

  private static let bailing = PreTokenizerPreset(
    ["bailingmoe", "bailingmoe2", "llada-moe"],
    patterns: [
      #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|"#
        + #"\s*[\r\n]|\s+(?!\S)|\s+"#
    ])

  private static let seedCoder = PreTokenizerPreset(
    ["seed-coder"],
    patterns: [
      contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|"#
        + #"\s*[\r\n]+|\s+(?!\S)|\s+"#
    ])

  private static let exaoneMoE = PreTokenizerPreset(
    ["exaone-moe"],
    patterns: [
      contractions + #"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}|"#
        + #" ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"#
    ])

  private static let youtu = PreTokenizerPreset(
    ["youtu"],
    patterns: [
      #"[\x{AC00}-\x{D7A3}\x{3131}-\x{318E}]+|"#
        + #"[\x{FF01}\x{2026}\x{201C}\x{201D}\x{2018}\x{2019}\x{2014}\x{FF1A}\x{FF1B}\x{FF0C}"#
        + #"\x{3001}-\x{303F}\x{FE30}-\x{FE4F}]+|[\x{3105}-\x{312F}]+|"#
        + "[\(chineseAndKana)]+",
      casedWords(digits: #"\p{N}"#, suffix: contractions + "?"),
    ], ignoresMerges: true)

  private static let deepSeekLLM = PreTokenizerPreset(
    ["deepseek-llm"],
    patterns: [
      #"[\r\n]"#, #"\s?["# + casedLetters + "]+",
      #"\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+"#,
      #"\s+$"#, "[\(asian)]+", #"\p{N}+"#,
    ])

  private static let deepSeekCoder = PreTokenizerPreset(
    ["deepseek-coder"],
    patterns: [#"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, "[\(asian)]+", #"\p{N}"#])

  private static let deepSeekV3 = PreTokenizerPreset(
    ["deepseek-v3", "hunyuan-dense", "joyai-llm"],
    patterns: [
      #"\p{N}{1,3}"#, "[\(chineseAndKana)]+",
      ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"##
        + #" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
    ])

  private static let falcon = PreTokenizerPreset(
    ["falcon"],
    patterns: [#"[\p{P}\$\+<=>\^~\|`]+"#, PreTokenizer.gpt2Pattern, "[0-9][0-9][0-9]"])

  private static let bloom = PreTokenizerPreset(
    ["bloom", "poro-chat", "gpt3-finnish"], patterns: [bloomWords])

  private static let viking = PreTokenizerPreset(
    ["viking"], patterns: [bloomWords, #"\p{N}"#])

  private static let miniCPM5 = PreTokenizerPreset(
    ["minicpm5"], patterns: [#"\p{N}{1,3}"#, words(digits: #"\p{N}+"#)], ignoresMerges: true)

  private static let byDefault = PreTokenizerPreset(
    [defaultName],
    patterns: [
      #"[\p{P}\$\+<=>\^~\|]+"#, PreTokenizer.gpt2Pattern, #"\p{N}+"#, "[0-9][0-9][0-9]",
    ])

  private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"

  /// The pattern of Llama 3 and Qwen 2, which differ in how many digits make a word.
  private static func words(
    letters: String = #"\p{L}"#, others: String = #"\p{L}\p{N}"#, digits: String,
    spaces: String = #"\s+(?!\S)|\s+"#
  ) -> String {
    contractions + #"|[^\r\n\p{L}\p{N}]?"# + letters + "+|" + digits + #"| ?[^\s"# + others
      + #"]+[\r\n]*|\s*[\r\n]+|"# + spaces
  }

  /// The pattern of Mistral's later tokenizers and of GPT-4o: a change from lower to upper case
  /// starts a word.
  private static func casedWords(digits: String, suffix: String = "") -> String {
    let upper = #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#
    let lower = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#
    let mark = #"[^\r\n\p{L}\p{N}]?"#
    return "\(mark)\(upper)*\(lower)+\(suffix)|\(mark)\(upper)+\(lower)*\(suffix)|\(digits)"
      + #"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  private static let bloomWords =
    #" ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{0964}\x{06D4}\x{060C})]+"#

  private static let asian = #"\x{4E00}-\x{9FA5}\x{0800}-\x{4E00}\x{AC00}-\x{D7FF}"#

  private static let chineseAndKana = #"\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}"#

  /// The letters with case that DeepSeek's first tokenizers list.
  private static let casedLetters =
    "A-Za-z"
    + ("B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F 386 388-38A 38C "
    + "38E-3A1 3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF "
    + "1D00-1D2B 1D6B-1D77 1D79-1D9A 1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B "
    + "1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC "
    + "1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128 212A-212D 212F-2134 "
    + "2139 213C-213F 2145-2149 214E 2183 2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D "
    + "A680-A69B A722-A76F A771-A787 A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A "
    + "10400-1044F 104B0-104D3 104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943")
    .split(separator: " ").map { range in
      range.split(separator: "-").map { "\\x{\($0)}" }.joined(separator: "-")
    }.joined()
}
