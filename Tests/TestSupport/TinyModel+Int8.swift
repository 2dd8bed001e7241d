import Architectures
import Conversion
import Foundations
import Kernels
import ModelFiles
import StrictJSON
public import TensorTypes

extension TinyModel {
  /// Writes the converted checkpoint `source` to the directory `output` with its projections in INT8.
  public static func quantise(
    _ source: String, to output: String, _ granularity: ScaleGranularity
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
        rounding: try file.view(requirement.address), granularity: granularity,
        method: .search(importance: nil))
      var scale = requirement.address
      scale.parameter = .scale
      tensors[requirement.address] = weight.codes
      tensors[scale] = MemoryStorage.view(weight.scales, shape: [weight.rows, weight.groups])
    }
    try write(
      plan.quantised(tensors, granularity: granularity), to: output, inputs: [source])
  }
}
