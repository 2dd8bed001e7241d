import Architectures
import StrictJSON
public import TensorTypes

extension CheckpointPlan {
  /// The same plan with projections replaced by their codes and scales, in our own layout.
  ///
  /// - Parameters:
  ///   - tensors: codes and scales of every projection.
  ///   - quantization: what codes they are, and how they are scaled.
  public func quantised(
    _ tensors: [TensorAddress: TensorView], as quantization: WeightQuantization
  ) throws -> CheckpointPlan {
    try quantised(quantization) { requirement, type in
      tensors[requirement.address].map {
        ReplacementTransform($0, as: type, by: quantization.codes == .int8 ? .int8 : .int4)
      }
    }
  }

  /// The same without the codes and scales, to be described and not written.
  public func quantised(_ quantization: WeightQuantization) throws -> CheckpointPlan {
    try quantised(quantization) { requirement, type in
      HoleTransform(byteCount: requirement.shape.byteCount(type) ?? 0)
    }
  }

  private func quantised(
    _ quantization: WeightQuantization,
    _ transform: (ModelDescription.Requirement, ScalarType) -> (any TensorTransform)?
  ) throws -> CheckpointPlan {
    var plan = self
    plan.description.modelType = SpikingBrainLayout.modelType
    plan.description.quantization = quantization
    let planned = self.tensors.byAddress
    plan.tensors = try plan.description.requirements.map { requirement in
      guard let name = SpikingBrainLayout.names.name(of: requirement.address) else {
        throw ConversionError.noName("\(requirement.address)")
      }
      if let type = requirement.type {
        guard let transform = transform(requirement, type) else {
          throw ConversionError.noName(name)
        }
        return PlannedTensor(
          requirement.address, name: name, shape: requirement.shape, type: type,
          transform: transform)
      }
      guard var kept = planned[requirement.address] else { throw ConversionError.noName(name) }
      kept.name = name
      return kept
    }
    let type = configuration["torch_dtype"]
    plan.configuration = SpikingBrainLayout.configuration(of: plan.description)
    if let type { plan.configuration["torch_dtype"] = type }
    return plan
  }
}
