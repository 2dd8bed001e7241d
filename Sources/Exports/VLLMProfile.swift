import Architectures
public import ModelFiles
public import StepSettings
import StrictJSON

/// `vllm`: what `hf` writes, without the `auto_map` that keeps vLLM from using a plugin's model.
public enum VLLMProfile: ExportProfile {
  public static let name = "vllm"
  public static let loader = "vLLM, the 7B layout by its public plugin"
  /// The files are the same for any number; `--tp` is checked.
  public static let isDistributed = true

  public static func contents(
    of file: ModelFile, settings: ExportSettings
  ) throws -> ExportContents {
    let form = try HuggingFaceForm(floating: file, profile: name)
    let ranks = settings.topology
    guard ranks.pipeline == 1, ranks.expert == 1 else {
      throw ExportError.onlyTensorRanks(profile: name)
    }
    let heads = VLLMHeads(
      query: form.description.heads, keyValue: form.description.keyValueHeads)
    guard heads.divide(among: ranks.tensor) else {
      throw ExportError.tensorRanks(
        profile: name, asked: ranks.tensor, possible: heads.possibleRanks, heads: heads.query,
        keyValueHeads: heads.keyValue, path: file.path)
    }
    var configuration = form.configuration
    configuration[GLASwa.autoMapKey] = nil
    return ExportContents(
      description: form.description, configuration: configuration,
      tensors: try form.tensors(of: file, dtype: settings.dtype),
      notes: notes(form, ranks: ranks.tensor, possible: heads.possibleRanks))
  }

  private static func notes(_ form: HuggingFaceForm, ranks: Int, possible: [Int]) -> [String] {
    var notes: [String] = []
    if form.architecture == GLASwa.self {
      notes =
        [
          "Needs the plugin vllm_hymeta of BICLab/SpikingBrain-7B, which is made for vLLM 0.10.0 with "
            + "its V0 engine on NVIDIA devices. Beside another platform plugin, such as that of "
            + "vLLM-metax, choose by the variable VLLM_PLUGINS; that pair was not tried.",
          "Heads can be split among \(possible.map(String.init).joined(separator: ", ")) tensor "
            + "parallel ranks.",
        ] + form.description.publicWindowNotes
    }
    if form.description.feedForwardSize % ranks != 0 {
      notes.append(
        "\(ranks) ranks do not divide the feed-forward width \(form.description.feedForwardSize): "
          + "vLLM's own linear layers refuse that.")
    }
    return notes
  }
}

/// The rule by which vLLM splits attention heads among tensor parallel ranks.
struct VLLMHeads {
  /// Query heads.
  let query: Int
  /// Key/value heads; each rank has one at least, a copy where ranks are more.
  let keyValue: Int

  /// Whether `ranks` ranks get equal parts.
  func divide(among ranks: Int) -> Bool {
    query % ranks == 0 && (keyValue % ranks == 0 || ranks % keyValue == 0)
  }

  /// Every number of ranks that does, ascending.
  var possibleRanks: [Int] { (1...max(query, 1)).filter(divide) }
}
