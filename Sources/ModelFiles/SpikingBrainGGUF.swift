package import Architectures
package import Checkpoints
import Mixers
package import StrictJSON
import Tokenization

/// GGUF files under our own architecture tag: config.json and the tokenizer's files as they are, tensors
/// by their names in a directory. Specified in `formats/gguf/README.md`.
package enum SpikingBrainGGUF {
  /// `general.architecture`, and what our own keys begin with.
  package static let architecture = "spikingbrain"
  /// The key of config.json's text.
  package static let configurationKey = "spikingbrain.config"
  /// The key of tokenizer.json, which the GGUF specification names.
  private static let tokenizerKey = "tokenizer.huggingface.json"

  /// The key of the companion file `name`.
  private static func key(ofFile name: String) -> String {
    name == "tokenizer.json" ? tokenizerKey : fileKey + name
  }

  /// What the keys of other companion files begin with.
  private static let fileKey = "spikingbrain.file."

  /// The metadata of `model`, described by `configuration`, with companion `files`.
  package static func metadata(
    of model: ModelDescription, configuration: JSONObject, files: [(name: String, bytes: [UInt8])]
  ) -> [(key: String, value: GGUFHeader.Value)] {
    var keys: [(key: String, value: GGUFHeader.Value)] = [
      ("general.architecture", .string(architecture)),
      ("general.type", .string("model")),
    ]
    if model.quantization != nil { keys.append(("general.quantization_version", .uint32(2))) }
    for (key, size) in sizes(of: model) {
      keys.append(("\(architecture).\(key)", .uint32(UInt32(clamping: size))))
    }
    keys.append(
      ("\(architecture).attention.layer_norm_rms_epsilon", .float32(Float(model.normEpsilon))))
    keys.append(("\(architecture).rope.freq_base", .float32(Float(model.rotary.theta))))
    keys.append((configurationKey, .string(JSONValue.object(configuration).compact)))
    for (name, bytes) in files {
      if let text = String(validating: bytes, as: UTF8.self) {
        keys.append((key(ofFile: name), .string(text)))
      } else {
        keys.append((key(ofFile: name), .bytes(bytes)))
      }
    }
    return keys
  }

  /// What GGUF tools show of any model; the configuration says the same.
  private static func sizes(of model: ModelDescription) -> [(key: String, value: Int)] {
    var sizes = [
      ("vocab_size", model.vocabularySize), ("context_length", model.maximumPositions),
      ("embedding_length", model.hiddenSize), ("block_count", model.layers.count),
      ("feed_forward_length", model.feedForwardSize), ("attention.head_count", model.heads),
      ("attention.head_count_kv", model.keyValueHeads), ("attention.key_length", model.headDim),
    ]
    if let window = model.layers.lazy.compactMap(\.mixer.window).first {
      sizes.append(("attention.sliding_window", window.size))
    }
    if let experts = model.layers.lazy.compactMap(\.feedForward.experts).first {
      sizes += [("expert_count", experts.routed), ("expert_used_count", experts.chosen)]
    }
    return sizes.map { (key: $0.0, value: $0.1) }
  }

  /// Throws when a size beside the configuration is another than `model` has.
  static func checkSizes(
    of model: ModelDescription, in metadata: GGUFMetadata, file: String
  ) throws(ModelFileError) {
    for (key, value) in sizes(of: model) {
      let key = "\(architecture).\(key)"
      guard let stated = metadata[key], stated.int != value else { continue }
      throw .ggufKey(
        key,
        reason: "is \(stated.int.map(String.init) ?? "no number"), \(configurationKey) says "
          + "\(value)", file: file)
    }
  }

  /// The configuration in `metadata`.
  static func configuration(
    _ metadata: GGUFMetadata, file: String
  ) throws(ModelFileError) -> JSONObject {
    guard let text = metadata.string(configurationKey) else {
      throw .ggufKey(configurationKey, reason: "is missing", file: file)
    }
    let value: JSONValue
    do {
      value = try JSONParser.parse(text)
    } catch {
      throw .ggufKey(configurationKey, reason: error.what, file: file)
    }
    guard let object = value.object else {
      throw .ggufKey(configurationKey, reason: "must hold a JSON object", file: file)
    }
    return object
  }

  /// The companion files in `metadata`; names that this program does not know are passed over.
  static func files(_ metadata: GGUFMetadata, path: String) -> TokenizerFiles {
    let notices = metadata.keys.filter { $0.hasPrefix(fileKey) }
      .map { String($0.dropFirst(fileKey.count)) }.filter(TokenizerSource.isNotice).sorted()
    return .embedded(
      (TokenizerSource.fileNames + notices).compactMap { name in
        switch metadata[key(ofFile: name)] {
        case .string(let text): (name, Array(text.utf8))
        case .array(let bytes):
          (name, bytes.compactMap(\.int).map { UInt8(truncatingIfNeeded: $0) })
        default: nil
        }
      }, file: path)
  }
}
