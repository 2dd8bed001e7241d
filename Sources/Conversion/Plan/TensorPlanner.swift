import Architectures
import Checkpoints
import Mixers
import ModelFiles
import StepSettings
import TensorTypes

/// Decides for every tensor of the target where its bytes come from.
struct TensorPlanner {
  let source: ModelFile
  let target: ModelDescription
  let names: NameTable
  let settings: ConvertSettings

  func tensors() throws -> [CheckpointPlan.PlannedTensor] {
    try target.requirements.map { requirement in
      let address = requirement.address
      guard let name = names.name(of: address) else {
        throw ConversionError.noName("\(address)")
      }
      let type = try outputType(of: address)
      return CheckpointPlan.PlannedTensor(
        address, name: name, shape: requirement.shape, type: type,
        transform: try transform(for: requirement, named: name, as: type))
    }
  }

  /// The source tensor that `address` of the target is copied from, if it is a copy.
  private func origin(of address: TensorAddress) -> TensorAddress? {
    if source.tensors[address] != nil { return address }
    let tied = TensorAddress(.embedding)
    return address == TensorAddress(.head) && source.description.tiesEmbeddings ? tied : nil
  }

  private func transform(
    for requirement: ModelDescription.Requirement, named name: String, as type: ScalarType
  ) throws -> any TensorTransform {
    let address = requirement.address
    if let origin = origin(of: address) { return try source.copying(origin, as: type) }
    func constant(_ value: Double) -> ConstantTransform {
      ConstantTransform(Float(value), shape: requirement.shape, as: type)
    }
    switch (address.role, address.parameter) {
    case (.query, .bias), (.key, .bias), (.value, .bias): return constant(0)
    case (.sinkTokens, .weight):
      let embedding = TensorAddress(.embedding)
      return SinkTransform(
        try source.view(embedding), named: source.tensors[embedding]?.name ?? "",
        token: settings.intraLayer.sinkToken ?? source.description.firstToken,
        count: target.sinkCount, noise: settings.intraLayer.sinkNoise, seed: settings.seed,
        as: type)
    default:
      switch requirement.mixerTensor?.initial {
      case nil: throw ModelFileError.noTensor(path: source.path, address: address)
      case .constant(let value): return constant(value)
      case .setting(.gateBias): return constant(settings.gateBias)
      case .setting(.branchNormWeight): return constant(settings.intraLayer.branchNormWeight)
      case .setting(.branchScale):
        return ValuesTransform(settings.intraLayer.branchScale.numbers.map { Float($0) }, as: type)
      case .uniform:
        return UniformTransform(
          bound: 1 / Double(requirement.shape.columns).squareRoot(), seed: settings.seed,
          label: name, shape: requirement.shape, as: type)
      }
    }
  }

  /// The type a tensor is written in; new tensors take that of their layer's q projection.
  private func outputType(of address: TensorAddress) throws -> ScalarType {
    try settings.dtype.applied(to: try storedType(like: address))
  }

  private func storedType(like address: TensorAddress) throws -> ScalarType {
    let model =
      origin(of: address)
      ?? (address.layer == nil
        ? TensorAddress(.embedding) : TensorAddress(.query, layer: address.layer))
    guard let stored = source.tensors[model] else {
      throw ModelFileError.noTensor(path: source.path, address: model)
    }
    return stored.type
  }
}
