import Architectures
import Checkpoints
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
    let name = "\(directory)/embedding.word_embeddings.weight"
    guard let rows = stored.tensor(named: name)?.shape.dimensions.first,
      rows <= Configuration.largestDimension
    else { return nil }
    return rows * topology.tensor >= model.vocabularySize ? rows * topology.tensor : nil
  }

  /// Ranks whose arguments name other ranks than those of the first.
  static func argumentProblems(
    _ stored: MegatronCheckpoint, topology: MegatronTopology
  ) -> [ModelFile.StructureProblem] {
    stored.directories.compactMap { directory in
      guard let arguments = stored.arguments(of: directory) else { return nil }
      let own = try? MegatronArguments.topology(arguments, file: directory)
      return own == topology
        ? nil
        : .content(
          name: "\(directory)/args", reason: "names other ranks than \(stored.directories[0])",
          file: stored.arguments.file)
    }
  }
}
