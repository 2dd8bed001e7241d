import Architectures
import Conversion
import Mixers
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes

/// A model in floating point as Megatron holds it: what both of its formats have in common.
struct MegatronForm {
  /// The model.
  let description: ModelDescription
  /// The config.json that is written beside the checkpoint: which layers and what vocabulary it has
  /// is nowhere else.
  let configuration: JSONObject
  /// Its parameters and ranks.
  let mapping: MegatronMapping

  /// The model in `file`, shared as `settings` say; what Megatron cannot hold is refused for `profile`.
  init(_ file: ModelFile, settings: ExportSettings, profile: String) throws {
    var obstacles = file.description.roundedParts
    // Megatron's arguments and layers say nothing of these.
    obstacles += file.description.differences(from: file.description.plainDecoder)
    if file.description.layers.contains(where: { $0.feedForward.experts?.weighting == .normalized })
    {
      obstacles.append("experts with weights of sum 1")
    }
    if file.architecture.names.hasPieces {
      obstacles.append("projections that are stored several in one tensor (`convert` first)")
    }
    guard obstacles.isEmpty else {
      throw ExportError.cannotHold(profile: profile, what: obstacles, path: file.path)
    }
    description = file.description
    configuration = file.directoryForm.configuration
    mapping = try MegatronMapping(
      description,
      topology: MegatronTopology(
        tensor: settings.topology.tensor, pipeline: settings.topology.pipeline,
        expert: settings.topology.expert))
  }

  /// The code that trains a converted model; others are trained by Megatron as it is.
  var code: [CheckpointPlan.CompanionFile] {
    [GLASwa.modelType, SpikingBrainLayout.modelType].contains(description.modelType)
      ? ModelCodeFiles.megatron : []
  }

  /// What the loader needs that Megatron does not have, and what was added.
  var notes: [String] {
    var notes: [String] = []
    var ours = description.layers.map(\.mixer).filter(\.isLinear).reduce(into: [String]()) {
      let layers = "\($1.kind) layers"
      if !$0.contains(layers) { $0.append(layers) }
    }
    if description.sinkCount > 0 { ours.append("sinks") }
    if !ours.isEmpty {
      notes.append(
        "Megatron has no \(ours.joined(separator: ", ")): the modules in training/spikingbrain_megatron "
          + "have them, by the names of formats/megatron/README.md.")
    }
    if description.layers.contains(where: { $0.mixer.window != nil }) {
      notes.append("Which layers have windows is in config.json, not in args.")
    }
    if description.biases.output != description.biases.feedForward {
      notes.append(
        "Megatron has biases on all projections but q, k and v, or on none (add_bias_linear); here "
          + (description.biases.output ? "only o_proj has one." : "only the feed-forward parts do.")
      )
    }
    let experts = description.layers.compactMap(\.feedForward.experts)
    if experts.contains(where: { $0.weighting == .one }) {
      notes.append(
        "Experts are weighted by 1 here; Megatron weights them by their probabilities.")
    }
    if !experts.isEmpty {
      notes.append(
        "Equally likely experts are taken in turn here, by token and position; Megatron takes the "
          + "first.")
    }
    if mapping.vocabularyRows > description.vocabularySize {
      notes.append(
        "The vocabulary of \(description.vocabularySize) is padded to \(mapping.vocabularyRows) rows, "
          + "repeating the last one.")
    }
    return notes
  }
}
