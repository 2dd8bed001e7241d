import Architectures
import CModelCode
import Conversion
import StrictJSON
import Tokenization

/// The Python code of this program that exports carry: formats/spikingbrain/transformers, by which
/// transformers runs converted models, and formats/spikingbrain/training, which goes on training them.
enum ModelCodeFiles {
  /// The files by which transformers runs a model, to be written beside the weights.
  static var all: [CheckpointPlan.CompanionFile] { files(CM_TRANSFORMERS) }

  /// The directory `training` for the Trainer of transformers.
  static var trainer: [CheckpointPlan.CompanionFile] { files(CM_TRAINER) }

  /// The directory `training` for Megatron-core.
  static var megatron: [CheckpointPlan.CompanionFile] { files(CM_MEGATRON) }

  private static func files(_ group: cm_group) -> [CheckpointPlan.CompanionFile] {
    (0..<cm_file_count(group)).map { index in
      let file = cm_file_at(group, index)
      return .init(
        name: String(cString: file.name),
        content: .bytes(Array(UnsafeBufferPointer(start: file.bytes, count: file.count))))
    }
  }

  /// The `auto_map` of a config.json, whose classes have the names of its layout.
  static func autoMap(of architecture: any Architecture.Type) -> JSONValue {
    let prefix = architecture == GLASwa.self ? "GLAswa" : "SpikingBrain"
    return [
      "AutoConfig": .string("configuration_spikingbrain.\(prefix)Config"),
      "AutoModelForCausalLM": .string("modeling_spikingbrain.\(prefix)ForCausalLM"),
    ]
  }

  /// What AutoTokenizer asks config.json for where this is missing, and does not know.
  ///
  /// - Parameter tokenizer: says what the tokens are called that `model` names, of which lm-eval needs
  ///   the one that ends a text; nil where it cannot be read.
  static func tokenizerConfiguration(
    of model: ModelDescription, _ tokenizer: Tokenizer?
  ) -> CheckpointPlan.CompanionFile {
    var object = JSONObject([
      ("tokenizer_class", "PreTrainedTokenizerFast"),
      ("model_input_names", ["input_ids", "attention_mask"]),
    ])
    let named = model.specialTokens
    for (key, id) in [
      ("bos_token", named.beginning), ("eos_token", named.end.first), ("pad_token", named.padding),
    ] {
      if let text = id.flatMap({ tokenizer?.token(of: $0) }) { object[key] = .string(text) }
    }
    return .init(name: tokenizerFile, content: .text(JSONValue.object(object).pretty))
  }

  /// The name of that file.
  static let tokenizerFile = "tokenizer_config.json"

  /// How a directory is loaded in transformers.
  ///
  /// - Parameter hasCode: whether it brings Python code.
  static func loading(hasCode: Bool) -> String {
    let trust = hasCode ? ", trust_remote_code=True" : ""
    let note =
      hasCode
      ? """


      `trust_remote_code` lets the two Python files of this directory run; they need torch and transformers 4.5x or \
      5, on any device, and use flash-linear-attention where a version is installed that passes their test. \
      `dtype=torch.float32` gives the numbers of spikingbrain; in 16 bits they differ, as those of any model do. \
      `training/train_transformers.py` goes on training the model.
      """ : ""
    return """
      ```python
      from transformers import AutoModelForCausalLM, AutoTokenizer

      tokenizer = AutoTokenizer.from_pretrained("DIR"\(trust))
      model = AutoModelForCausalLM.from_pretrained("DIR"\(trust))
      ```
      """ + note
  }
}
