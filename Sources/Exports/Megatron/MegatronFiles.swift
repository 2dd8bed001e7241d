import Architectures
import Checkpoints
import Conversion
import StrictJSON

/// `release/mp_rank_TT[_PPP][_EEE]/model_optim_rng.pt`, a PyTorch file per rank, and the file that
/// names `release`. Specified in `formats/megatron/README.md`.
struct MegatronFiles: TensorFiles {
  private let ranks: [RankFile]

  private struct RankFile {
    var name: String
    var archive: PyTorchArchive
    var tensors: [StoredTensor]
  }

  init(_ plan: CheckpointPlan) throws {
    let topology = try MegatronArguments.topology(plan.metadata, file: "args")
    let mapping = try MegatronMapping(plan.description, topology: topology)
    let byRank = Dictionary(grouping: plan.tensors) { $0.name.prefix { $0 != "/" } }
    ranks = topology.ranks.map { rank in
      let directory = topology.directoryName(of: rank)
      return MegatronFiles.file(
        of: byRank[Substring(directory)] ?? [], directory: directory, arguments: plan.metadata,
        extraState: mapping.extraStateKeys(of: rank))
    }
  }

  private static func file(
    of tensors: [CheckpointPlan.PlannedTensor], directory: String, arguments: JSONObject,
    extraState: [String]
  ) -> RankFile {
    let name = MegatronCheckpoint.fileName(directory: directory)
    var writer = PickleWriter()
    writer.dictionary { top in
      top.megatronHead(arguments)
      top.text("model")
      top.orderedDictionary { model in
        for (key, tensor) in tensors.enumerated() {
          model.text(String(tensor.name.dropFirst(directory.count + 1)))
          model.tensor(storage: key, type: tensor.type, shape: tensor.shape)
        }
        for key in extraState {
          model.text(key)
          model.none()
        }
      }
    }
    let archive = PyTorchArchive(
      pickle: writer.finish(), storages: tensors.map(\.byteCount), folder: "model_optim_rng")
    return RankFile(
      name: name, archive: archive,
      tensors: tensors.enumerated().map { key, tensor in
        StoredTensor(
          name: tensor.name, type: tensor.type, shape: tensor.shape, file: name,
          offset: archive.offset(ofStorage: key), byteCount: tensor.byteCount)
      })
  }

  var files: [(name: String, bytes: Int)] { ranks.map { ($0.name, $0.archive.byteCount) } }

  var tensors: [StoredTensor] { ranks.flatMap(\.tensors) }

  var indexes: [(name: String, bytes: [UInt8])] {
    [(MegatronCheckpoint.trackerName, Array(MegatronCheckpoint.release.utf8))]
  }

  func write(_ number: Int, to file: OutputFile, produce: TensorProducer) throws {
    let rank = ranks[number]
    try rank.archive.write(with: { try file.write($0) }) { key, observe in
      try produce(rank.tensors[key], observe)
    }
  }
}
