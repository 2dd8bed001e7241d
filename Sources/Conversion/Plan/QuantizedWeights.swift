import Architectures
import StrictJSON
public import TensorTypes

extension CheckpointPlan {
  /// The same plan with projections replaced by their INT8 codes and scales, in our own layout.
  ///
  /// - Parameters:
  ///   - tensors: codes and scales of every projection.
  ///   - granularity: how the codes are scaled.
  public func quantised(
    _ tensors: [TensorAddress: TensorView], granularity: ScaleGranularity
  ) throws -> CheckpointPlan {
    try quantised(granularity) { requirement, type in
      tensors[requirement.address].map {
        ReplacementTransform($0, as: type, by: .int8)
      }
    }
  }

  /// The same without the codes and scales, to be described and not written.
  public func quantised(_ granularity: ScaleGranularity) throws -> CheckpointPlan {
    try quantised(granularity) { requirement, type in
      HoleTransform(byteCount: requirement.shape.byteCount(type) ?? 0)
    }
  }

  private func quantised(
    _ granularity: ScaleGranularity,
    _ transform: (ModelDescription.Requirement, ScalarType) -> (any TensorTransform)?
  ) throws -> CheckpointPlan {
    var plan = self
    plan.description.modelType = SpikingBrainLayout.modelType
    plan.description.quantization = granularity
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
