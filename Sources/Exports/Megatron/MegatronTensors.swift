import Architectures
import Checkpoints
import Conversion
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes

/// The parameters of Megatron made from the tensors of a checkpoint.
struct MegatronTensors {
  let file: ModelFile
  let mapping: MegatronMapping
  let dtype: OutputType

  /// The files of every rank: a tensor's name is the directory of its rank, a slash and its key.
  func planned() throws -> [CheckpointPlan.PlannedTensor] {
    try mapping.topology.ranks.flatMap { rank in
      let directory = mapping.topology.directoryName(of: rank)
      return try mapping.parts(of: rank).map { part in
        let transform = try transform(part.parameter, regions: part.regions, rank: rank.tensor)
        return CheckpointPlan.PlannedTensor(
          nil, name: "\(directory)/\(part.key)", shape: part.shape, type: transform.type,
          transform: transform)
      }
    }
  }

  /// What makes the rows and columns `regions` of a parameter, which tensor rank `rank` holds.
  func transform(
    _ parameter: MegatronParameter, regions: [MegatronParameter.Region], rank: Int
  ) throws -> AssembledTransform {
    var pieces: [AssembledTransform.Piece] = [], types: [ScalarType] = []
    for region in regions {
      for piece in parameter.pieces(in: region.rows) {
        guard let stored = file.tensors[piece.address] else {
          throw ModelFileError.noTensor(path: file.path, address: piece.address)
        }
        types.append(dtype.applied(to: stored.type))
        pieces.append(
          .init(
            address: piece.address, name: stored.name, type: stored.type, rows: piece.rows,
            columns: region.columns, copies: piece.copies))
      }
    }
    guard let type = types.first, types.allSatisfy({ $0 == type }) else {
      throw ExportError.mixedTypes(
        parameter: parameter.distributedKey(stacked: false),
        types: Set(types.map(\.rawValue)).sorted())
    }
    return AssembledTransform(
      file: file, pieces: pieces, type: type, rule: rule(of: parameter, rank: rank))
  }

  /// What a rank holds of a parameter, as the manifest records it.
  private func rule(of parameter: MegatronParameter, rank: Int) -> TransformRecord {
    var rule = TransformRecord(.assembled)
    let ranks = mapping.topology.tensor
    if parameter.split != .replicated, ranks > 1 {
      rule["split"] = .string(parameter.split.rawValue)
      rule["part"] = .int(rank + 1)
      rule["parts"] = .int(ranks)
    }
    rule["of"] = .string(parameter.distributedKey(stacked: false))
    if let expert = parameter.expert { rule["expert"] = .int(expert) }
    return rule
  }
}
