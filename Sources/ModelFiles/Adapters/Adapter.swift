import Architectures
import Checkpoints
import StrictJSON
import TensorTypes

/// An adapter as PEFT saves one: matrices for modules of a model, and tensors that take the place of
/// its own.
struct Adapter {
  /// Its directory.
  let path: String
  let configuration: AdapterConfiguration
  /// The SHA-256 of its weights.
  let digest: String
  /// Its two files.
  let files: [String]
  /// What it has for each module, by the module's name in the model.
  private(set) var modules: [String: Module] = [:]
  /// Tensors that take the place of the model's, by the name there.
  private(set) var tensors: [String: StoredTensor] = [:]

  private let reader: any CheckpointReader

  /// The parts of a module; matrices of embeddings lie the other way round.
  struct Module {
    var down: StoredTensor?
    var up: StoredTensor?
    var bias: StoredTensor?
    var isEmbedding = false
  }

  private static let weightFiles = ["adapter_model.safetensors", "adapter_model.bin"]
  /// What names of tensors begin with.
  private static let prefixes = ["base_model.model.", "_orig_mod."]

  /// Opens the adapter in the directory `path` and checks all but whether it fits a model.
  init(_ path: String) throws {
    self.path = path
    let file = RelativeName.join(path, AdapterConfiguration.fileName)
    guard FileStatus.exists(file) else {
      let isModel = FileStatus.exists(RelativeName.join(path, "config.json"))
      throw isModel
        ? AdapterError.isModel(path: path)
        : .missing(path: path, file: AdapterConfiguration.fileName)
    }
    configuration = try AdapterConfiguration(JSONFile.object(file), file: file)
    guard
      let weights = Self.weightFiles.map({ RelativeName.join(path, $0) })
        .first(where: FileStatus.exists)
    else { throw AdapterError.missing(path: path, file: Self.weightFiles[0]) }
    reader =
      weights.hasSuffix(".bin")
      ? try PyTorchFile(path: weights) : try SafetensorsFile(path: weights)
    digest = try SHA256.hashFile(weights).digest.hex
    files = [file, weights]
    guard !reader.tensors.isEmpty else { throw AdapterError.nothing(file: weights) }
    for tensor in reader.tensors { try add(tensor) }
    for (name, module) in modules {
      guard module.down != nil else {
        throw AdapterError.incomplete(module: name, missing: "lora_A", file: weights)
      }
      guard module.up != nil else {
        throw AdapterError.incomplete(module: name, missing: "lora_B", file: weights)
      }
    }
  }

  /// The stored bytes of `tensor`, one of its own.
  func view(_ tensor: StoredTensor) throws -> TensorView { try reader.view(tensor.name) }

  private mutating func add(_ tensor: StoredTensor) throws {
    guard tensor.type.isFloat else {
      throw AdapterError.type(tensor: tensor.name, type: tensor.type, file: tensor.file)
    }
    var name = tensor.name[...]
    for prefix in Self.prefixes where name.hasPrefix(prefix) { name = name.dropFirst(prefix.count) }
    guard let mark = name.firstRange(of: ".lora_") else {
      // What is adapted has its own weights below `base_layer`: an embedding is saved with them.
      tensors[String(name.replacing(".base_layer.", with: "."))] = tensor
      return
    }
    let part = Self.parts[String(name[name.index(after: mark.lowerBound)...])]
    guard let part else {
      throw AdapterError.unknownTensor(tensor.name, file: tensor.file)
    }
    var module = modules[String(name[..<mark.lowerBound])] ?? Module()
    module[keyPath: part.place] = tensor
    module.isEmbedding = module.isEmbedding || part.isEmbedding
    modules[String(name[..<mark.lowerBound])] = module
  }

  /// What names end in.
  private static var parts:
    [String: (place: WritableKeyPath<Module, StoredTensor?>, isEmbedding: Bool)]
  {
    [
      "lora_A.weight": (\.down, false), "lora_B.weight": (\.up, false),
      "lora_B.bias": (\.bias, false),
      "lora_embedding_A": (\.down, true), "lora_embedding_B": (\.up, true),
    ]
  }
}
