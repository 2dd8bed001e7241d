import Checkpoints
import Foundations
import ModelFiles

/// Which files of a repository are a model, one of the formats in which it may be there.
struct HubSelection: Sendable, Equatable {
  /// The files of weights, without those that only an index names.
  let weights: [String]
  /// The index that names the rest of them; nil where there is none.
  let index: String?
  /// Everything else that is read or carried along: configuration, tokenizer, licences.
  let others: [String]
  /// The file that stands for the model; nil for the directory.
  let file: String?

  /// What of the files `names` is the model `reference`.
  init(of names: [String], _ reference: HubReference) throws(HubError) {
    if let file = reference.file {
      guard names.contains(file) else {
        let weights = names.filter { $0.hasSuffix(".gguf") || $0.hasSuffix(".safetensors") }
        throw .noFile(
          reference.text, file: file, nearest: NearestName.of(file, among: names),
          found: weights.isEmpty ? names : weights)
      }
      weights = WeightFiles.parts(of: file)
      (index, self.file) = (nil, file)
    } else {
      switch WeightFiles(among: names) {
      case .files(let files): (weights, index, file) = (files, nil, nil)
      case .index(let name): (weights, index, file) = ([], name, nil)
      case .gguf(let models) where models.count == 1:
        (weights, index, file) = (WeightFiles.parts(of: models[0]), nil, models[0])
      case .gguf(let models): throw .severalFiles(reference.text, files: models)
      case .none:
        let adapter = names.filter { $0.hasPrefix("adapter_model.") }
        guard !adapter.isEmpty else { throw .noWeights(reference.text, found: names) }
        (weights, index, file) = (adapter, nil, nil)
      }
    }
    // What this program wrote is complete with all that its manifest lists.
    let isOwn = names.contains(Manifest.fileName)
    let index = index
    others = names.filter {
      (isOwn && !WeightFiles.isWeights($0) || Self.isNeeded($0)) && $0 != index
    }
  }

  /// All names, those excepted that only the index names.
  var names: [String] { weights + [index].compactMap(\.self) + others }

  /// Whether a model needs the file `name` beside its weights.
  private static func isNeeded(_ name: String) -> Bool {
    TokenizerSource.fileNames.contains(name) || TokenizerSource.isNotice(name)
      || ["config.json", "README.md", "adapter_config.json"].contains(name)
  }

  /// Whether these are files of a tokenizer and a configuration as most models have them.
  var hasUsualOthers: Bool {
    file?.hasSuffix(".gguf") == true || others.contains("adapter_config.json")
      || others.contains("config.json")
        && others.contains { Self.tokenizers.contains($0) }
  }

  private static let tokenizers = [
    "tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json", "tokenizer.model.v3",
    "spiece.model", "sentencepiece.bpe.model", "tiktoken.model", "qwen.tiktoken",
  ]
}
