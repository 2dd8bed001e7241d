import Architectures
import Conversion
import Foundations
import Kernels
import ModelFiles
import StrictJSON
public import TensorTypes

extension TinyModel {
  /// Writes the converted checkpoint `source` to the directory `output` with its projections as
  /// integers.
  public static func quantise(
    _ source: String, to output: String, _ granularity: ScaleGranularity, codes: WeightCodes = .int8
  ) throws {
    let file = try ModelFile.open(source)
    let plan = try LayoutPlan.make(
      from: DenseModel(file), recipe: JSONObject(), shardSize: ByteSize(1 << 30))
    var tensors: [TensorAddress: TensorView] = [:]
    for requirement in file.description.requirements
    where ModelDescription.quantizedRoles.contains(requirement.address.role)
      && requirement.address.parameter == .weight
    {
      let weight = QuantizedWeight(
        rounding: try file.view(requirement.address), WeightQuantization(codes, granularity),
        method: .search(importance: nil))
      var scale = requirement.address
      scale.parameter = .scale
      tensors[requirement.address] = weight.codes
      tensors[scale] = MemoryStorage.view(weight.scales, shape: [weight.rows, weight.groups])
    }
    try write(
      plan.quantised(tensors, as: WeightQuantization(codes, granularity)), to: output,
      inputs: [source])
  }
}
