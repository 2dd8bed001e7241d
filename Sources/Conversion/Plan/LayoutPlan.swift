public import Architectures
public import Foundations
public import StepSettings
public import StrictJSON
import TensorTypes

/// A model as it is, in our own layout.
public enum LayoutPlan {
  /// The plan of copying `source`, with tensors of the type that `dtype` makes of theirs.
  ///
  /// - Parameter spiking: what is spiked from now on; nil leaves that as it is.
  public static func make(
    from source: DenseModel, spiking: SpikingSettings? = nil,
    dtype: OutputType = .keep, recipe: JSONObject, shardSize: ByteSize
  ) throws -> CheckpointPlan {
    var target = source.description
    target.modelType = SpikingBrainLayout.modelType
    if let spiking { target.spiking = spiking }
    let tensors = try target.requirements.map { requirement in
      guard let name = SpikingBrainLayout.names.name(of: requirement.address),
        let part = source.parts[requirement.address]
      else { throw ConversionError.noName("\(requirement.address)") }
      let type = dtype.applied(to: part.type)
      let copy = part.view.map { CopyTransform($0, named: part.name, as: type) }
      guard let transform: any TensorTransform = copy ?? part.transform else {
        throw ConversionError.noName("\(requirement.address)")
      }
      return CheckpointPlan.PlannedTensor(
        requirement.address, name: name, shape: requirement.shape, type: type,
        transform: transform)
    }
    var configuration = SpikingBrainLayout.configuration(of: target)
    configuration["torch_dtype"] = .string(tensors.first?.type.rawValue ?? "float32")
    var recipe = recipe
    recipe["of"] = source.recipe
    return CheckpointPlan(
      description: target, configuration: configuration, tensors: tensors,
      companions: source.companions, shardSize: shardSize, recipe: recipe,
      source: source.origin, notes: source.notes)
  }
}
