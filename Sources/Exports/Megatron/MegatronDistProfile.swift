import Architectures
import Conversion
public import ModelFiles
public import StepSettings
import TensorTypes

/// `megatron-dist`: the distributed checkpoint of Megatron (`--ckpt-format torch_dist`), which any
/// topology loads. The ranks decide only how tensors are cut into chunks: a loader reads whole ones.
public enum MegatronDistProfile: ExportProfile {
  public static let name = "megatron-dist"
  public static let loader = "Megatron, --ckpt-format torch_dist"
  public static let isDistributed = true

  public static func contents(
    of file: ModelFile, settings: ExportSettings
  ) throws -> ExportContents {
    let form = try MegatronForm(file, settings: settings, profile: name)
    let tensors = MegatronTensors(file: file, mapping: form.mapping, dtype: settings.dtype)
    var contents = ExportContents(
      description: form.description, configuration: form.configuration,
      tensors: try tensors.plannedChunks(), notes: form.notes + notes(form),
      format: DistributedFiles.self)
    contents.metadata = MegatronArguments.object(for: form.mapping)
    contents.code = form.code
    return contents
  }

  private static func notes(_ form: MegatronForm) -> [String] {
    [
      form.mapping.isHomogeneous
        ? "Layers share keys (decoder.layers.NAME, with a dimension for the layer in front)."
        : "Layers have keys of their own (decoder.layers.L.NAME): Megatron asks for such when "
          + "moe_layer_freq or linear_attention_freq is a list; content_metadata says so too."
    ]
  }
}

extension MegatronTensors {
  /// The chunks of every rank, by `MegatronMapping.Chunk.name`.
  func plannedChunks() throws -> [CheckpointPlan.PlannedTensor] {
    try mapping.topology.ranks.flatMap { rank in
      try mapping.chunks(of: rank).map { chunk in
        let transform = try transform(
          chunk.parameter, regions: [chunk.region], rank: rank.tensor)
        return CheckpointPlan.PlannedTensor(
          nil, name: chunk.name, shape: Shape(chunk.sizes), type: transform.type,
          transform: transform)
      }
    }
  }
}
