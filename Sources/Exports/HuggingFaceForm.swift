import Architectures
import Checkpoints
import Conversion
import Mixers
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes

/// A model by the names and the configuration of the Hugging Face code that runs it, without spikes
/// and in floating point.
struct HuggingFaceForm {
  /// The architecture in the configuration.
  let architecture: any Architecture.Type
  /// The model.
  let description: ModelDescription
  /// Its config.json.
  let configuration: JSONObject

  /// Source architectures and the public 7B layout as they are; our own layout as whichever of these
  /// computes the same; anything else is refused for `profile`.
  init(_ file: ModelFile, profile: String) throws {
    var plain = file.description.unspiked
    plain.quantization = nil
    let isOwnLayout = file.architecture == SpikingBrainLayout.self
    let obstacles = GLASwa.obstacles(to: plain)
    if !isOwnLayout, file.hasConfiguration, file.architecture.isSource || obstacles.isEmpty {
      architecture = file.architecture
      var object = file.configuration.object
      object[CompressedTensors.key] = nil
      configuration = object
    } else if let found = Architectures.source(of: plain) {
      (architecture, configuration) = found
    } else if file.architecture.isSource {
      throw ExportError.cannotHold(
        profile: profile, what: ["rotary factors of a GGUF file"], path: file.path)
    } else if obstacles.isEmpty {
      architecture = GLASwa.self
      configuration = GLASwa.configuration(of: plain)
    } else {
      throw ExportError.cannotHold(profile: profile, what: obstacles, path: file.path)
    }
    plain.modelType = architecture.modelType
    description = plain
  }

  /// The name of `address`.
  func name(of address: TensorAddress) throws -> String {
    guard let name = architecture.names.name(of: address) else {
      throw ConversionError.noName("\(address)")
    }
    return name
  }

  /// A model of floating-point weights without spikes, which INT8 and thresholds keep from being;
  /// refused for `profile` otherwise.
  init(floating file: ModelFile, profile: String) throws {
    let obstacles = file.description.roundedParts
    guard obstacles.isEmpty else {
      throw ExportError.cannotHold(profile: profile, what: obstacles, path: file.path)
    }
    try self.init(file, profile: profile)
  }

  /// Its tensors as `file` holds them, in their own types unless `dtype` says otherwise.
  func tensors(
    of file: ModelFile, dtype: OutputType
  ) throws -> [CheckpointPlan.PlannedTensor] {
    try description.stored(under: architecture.names).map { stored in
      try file.copy(stored, dtype: dtype)
    }
  }

  /// What the public 7B code needs, and where it computes other numbers than this program.
  var notes: [String] {
    guard architecture == GLASwa.self else { return [] }
    return [
      "To run in transformers it needs the Python files of hf_7B_model in BICLab/SpikingBrain-7B "
        + "beside it, a GPU, and what these are pinned to: flash-linear-attention 0.1, patched "
        + "(later versions take other tensor layouts, and the model prints gibberish), "
        + "transformers 4.55.2, torch 2.7.1, triton 3.3.1, flash-attn 2.7.3."
    ] + description.publicWindowNotes
  }
}

extension ModelDescription {
  /// What a form of floating-point weights without spikes cannot hold, and which profiles can.
  var roundedParts: [String] {
    var parts: [String] = []
    if let codes = quantization?.codes {
      let profiles =
        (codes == .int4 ? [W4A16Profile.name] : [])
        + [W8ASpikeProfile.name, W8A8Profile.name, W8A16Profile.name]
      parts.append(
        "\(codes.text) weights (\(profiles.dropLast().joined(separator: ", ")) and "
          + "\(profiles[profiles.count - 1]) can)")
    }
    if spiking != nil { parts.append("spiking thresholds (\(W8ASpikeProfile.name) can)") }
    return parts
  }

  /// Where the public code's windows are others than ours.
  var publicWindowNotes: [String] {
    guard let window = layers.lazy.compactMap(\.mixer.window).first, window.rule == .report else {
      return []
    }
    return [
      "In prefill of more than \(window.size) tokens the public code's flash attention sees one key "
        + "more than the window."
    ]
  }
}

extension ModelFile {
  /// Whether its configuration is a config.json, not translated metadata.
  var hasConfiguration: Bool {
    if case .files = tokenizer { true } else { false }
  }

  /// A tensor as another form stores it: one of the model's copied, or several that the files hold in
  /// the same one.
  func copy(
    _ stored: ModelDescription.StoredRequirement, dtype: OutputType
  ) throws -> CheckpointPlan.PlannedTensor {
    let first = stored.pieces[0]
    guard let name = stored.name else { throw ConversionError.noName("\(first.address)") }
    // Codes and scales have the one type that they have.
    let dtype = first.type == nil ? dtype : .keep
    guard stored.pieces.count > 1 else { return try copy(first.address, named: name, dtype: dtype) }
    guard let whole = whole(stored) else { throw ConversionError.noName(name) }
    let type = dtype.applied(to: whole.type)
    return CheckpointPlan.PlannedTensor(
      nil, name: name, shape: whole.shape, type: type,
      transform: CopyTransform(try view(ofWhole: whole), named: whole.name, as: type))
  }

  /// The tensor at `address` copied under `name`, in its own type unless `dtype` says otherwise.
  ///
  /// - Parameter target: what it is in the model that is written; nil for the same.
  func copy(
    _ address: TensorAddress, as target: TensorAddress? = nil, named name: String,
    dtype: OutputType
  ) throws -> CheckpointPlan.PlannedTensor {
    guard let stored = tensors[address] else {
      throw ModelFileError.noTensor(path: path, address: address)
    }
    let type = dtype.applied(to: stored.type)
    return CheckpointPlan.PlannedTensor(
      target ?? address, name: name, shape: stored.shape, type: type,
      transform: try copying(address, as: type))
  }
}

extension JSONObject {
  /// The same configuration with `type` as that of the weights; under the key that it has already.
  func declaring(_ type: ScalarType?) -> JSONObject {
    guard let type else { return self }
    var object = self
    let key = object["torch_dtype"] == nil && object["dtype"] != nil ? "dtype" : "torch_dtype"
    object[key] = .string(type.rawValue)
    return object
  }
}
