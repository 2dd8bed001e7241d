import Architectures
import Checkpoints
import Foundation
public import StrictJSON
import TensorTypes

extension ModelFile {
  /// Opens a Hugging Face style directory: config.json, and what `open` finds of tensors.
  init(directory path: String, open: () throws -> any CheckpointReader) throws {
    let file = path + "/config.json"
    guard FileManager.default.fileExists(atPath: file) else {
      throw ModelFileError.noConfiguration(path: path)
    }
    let whole = try Configuration(JSONFile.object(file), file: file)
    var configuration = Architectures.languageModel(of: whole)
    let isPart = configuration.object != whole.object
    let architecture = try Architectures.of(configuration)
    let reader = try open()
    var description = try architecture.describe(configuration)
    var names = architecture.names, notes = reader.notes
    if isPart {
      notes.append(
        "config.json describes a model of several parts: its language model alone is read.")
    }
    if let prefix = NamePrefix(of: reader, with: description, names: names) {
      names = prefix.table(names)
      notes.append(prefix.note)
    }
    description.adoptMergedGates { reader.tensor(named: names.name(of: $0) ?? "") != nil }
    var shown = reader, form = StoredForm.own
    if let scheme = try CompressedTensors(configuration) {
      guard !names.hasPieces else {
        throw ConfigurationError.unsupported(
          key: CompressedTensors.key, value: "compressed-tensors",
          reason: "the projections of \(architecture.modelType) are stored several in one tensor",
          file: file)
      }
      form = .compressed(scheme)
      description.int8Weights = scheme.granularity
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
      tokenizer: .directory(path))
  }
}

/// Small JSON files of a checkpoint.
public enum JSONFile {
  /// Larger configuration files are refused; tokenizers have their own limit. A document takes some 20
  /// times its size in memory, and configurations have kilobytes.
  public static let largest = 8 << 20

  /// The object in the file at `path`.
  public static func object(
    _ path: String, limit: JSONLimit = .configuration
  ) throws(ModelFileError) -> JSONObject {
    let bytes: Data
    SourceFiles.note(path)
    do {
      let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
      guard size <= largest else {
        throw ModelFileError.invalidJSON(
          file: path, reason: "\(size) bytes are too many; the limit is \(largest)")
      }
      bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch let error as ModelFileError {
      throw error
    } catch {
      throw .invalidJSON(file: path, reason: "cannot be read")
    }
    let value: JSONValue
    do {
      value = try JSONParser.parse(bytes, limit: limit)
    } catch {
      throw .invalidJSON(file: path, reason: error.what)
    }
    guard let object = value.object else { throw .configurationIsNoObject(file: path) }
    return object
  }
}
