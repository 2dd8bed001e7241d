import Architectures
import Checkpoints
import Foundation
import StrictJSON
import TensorTypes
import Tokenization

extension ModelFile {
  /// Opens a Hugging Face style directory: config.json, and what `open` finds of tensors.
  init(directory path: String, open: () throws -> any CheckpointReader) throws {
    let file = path + "/config.json"
    guard FileManager.default.fileExists(atPath: file) else {
      throw ModelFileError.noConfiguration(path: path)
    }
    let whole = try Configuration(JSONFile.object(file), file: file)
    var configuration = try Architectures.languageModel(of: whole)
    let isPart = configuration.object != whole.object
    let architecture = try Architectures.of(configuration)
    var reader = try open()
    let method =
      try QuantizationMethod(configuration) ?? (isPart ? QuantizationMethod(whole) : nil)
    if let method {
      reader = try DequantizedReader(reader, method: method)
      var object = configuration.object
      object[CompressedTensors.key] = nil
      configuration = Configuration(object, file: file)
    }
    var description = try architecture.describe(configuration)
    var names = architecture.names, notes = reader.notes
    if isPart {
      let others = StructureMatch.otherParts(in: reader)
      notes.append(
        "config.json describes a model of several parts: its language model alone is read"
          + (others.isEmpty ? "." : ", not \(others.joined(separator: ", "))."))
    }
    if FileStatus.exists(RelativeName.join(path, AdapterConfiguration.fileName)) {
      notes.append(
        "An adapter lies beside the weights, which are read without it: --lora merges one.")
    }
    if let prefix = NamePrefix(of: reader, with: description, names: names) {
      names = prefix.table(names)
      notes.append(prefix.note)
    }
    description.adoptMergedGates { reader.tensor(named: names.name(of: $0) ?? "") != nil }
    var shown = reader, form = StoredForm.own
    if let method {
      form = .dequantized(method)
      notes.append("Weights in \(method.text) are read as float32.")
    } else if let scheme = try CompressedTensors(configuration) {
      guard !names.hasPieces else {
        throw ConfigurationError.unsupported(
          key: CompressedTensors.key, value: "compressed-tensors",
          reason: "the projections of \(architecture.modelType) are stored several in one tensor",
          file: file)
      }
      form = .compressed(scheme)
      description.quantization = scheme.quantization
      shown = try QuantizedReader(reader, scheme: scheme, model: description, names: names)
    } else if architecture == GLASwa.self, QuantizedReader.isW8ASpike(reader) {
      form = .w8aspike
      description = W8ASpike.variant(of: description, k: try W8ASpike.threshold(configuration))
      shown = QuantizedReader(w8aspike: reader, model: description, names: names)
    }
    notes += try configuration.restNotes()
    if description.tiesEmbeddings, try StoredHead.differs(in: reader, names: names) {
      description.tiesEmbeddings = false
      var object = configuration.object
      object["tie_word_embeddings"] = false
      configuration = Configuration(object, file: file)
      notes.append(StoredHead.note)
    }
    self.init(
      path: path, reader: shown, configuration: configuration, architecture: architecture,
      description: description, names: names, form: form, isPart: isPart, notes: notes,
      tokenizer: .files(.directory(path)))
  }
}
