import Architectures
import Checkpoints
import Foundations
import TensorTypes

extension MegatronShards {
  /// What the keys of decay gates end with that are one matrix.
  static let mergedGateSuffix = ".self_attention.gk_proj.weight"

  /// Rows of the embedding with padding, as the first rank's part says; nil when that is not there or
  /// too small.
  static func vocabularyRows(
    in stored: MegatronCheckpoint, topology: MegatronTopology, _ model: ModelDescription
  ) -> Int? {
    let directory = topology.directoryName(of: .init())
    let name = "\(directory)/\(MegatronParameter.embeddingName)"
    guard let rows = stored.tensor(named: name)?.shape.dimensions.first,
      rows <= Configuration.largestDimension
    else { return nil }
    return rows * topology.tensor >= model.vocabularySize ? rows * topology.tensor : nil
  }

  /// Refuses files that are not those of the ranks in `topology`: more or fewer, or such that name
  /// others themselves.
  static func checkRanks(
    _ stored: MegatronCheckpoint, topology: MegatronTopology
  ) throws(ConfigurationError) {
    let file = stored.arguments.file
    let count = topology.tensor * topology.pipeline * topology.expert
    guard count == stored.directories.count else {
      throw .inconsistent(
        "args name \(count) ranks, but there are "
          + counted(stored.directories.count, "directory", plural: "directories"),
        file: file)
    }
    for directory in stored.directories {
      guard let arguments = stored.arguments(of: directory),
        try MegatronArguments.topology(arguments, file: file) == topology
      else {
        throw .inconsistent(
          "args in \(directory) name other ranks than in \(stored.directories[0])", file: file)
      }
    }
  }
}
