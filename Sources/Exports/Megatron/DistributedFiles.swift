import Architectures
import Checkpoints
import Conversion
import Foundations
import StrictJSON
import TensorTypes

/// `release/__R_N.distcp` with the chunks that rank R writes, each an archive of its own, N counting
/// the rank's files; `.metadata`, which says where they lie; `common.pt`, `metadata.json` and the file
/// that names `release`. Specified in `formats/dcp/README.md`.
struct DistributedFiles: TensorFiles {
  private var shards: [Shard] = []
  /// What is no tensor and the same for all ranks.
  private let common: [UInt8]

  /// One file.
  private struct Shard: Sendable {
    var name: String
    var items: [Item] = []
    var byteCount = 0
  }

  /// A chunk, or an object that is no tensor, which takes no room but its archive.
  private struct Item: Sendable {
    var described: DistributedDescription.Item
    var archive: PyTorchArchive
    var tensor: StoredTensor?
  }

  init(_ plan: CheckpointPlan) throws {
    let topology = try MegatronArguments.topology(plan.metadata, file: "args")
    let mapping = try MegatronMapping(plan.description, topology: topology)
    common = try Self.common(plan.metadata, isHomogeneous: mapping.isHomogeneous)
    let byName = Dictionary(uniqueKeysWithValues: plan.tensors.map { ($0.name, $0) })
    for (number, rank) in topology.ranks.enumerated() {
      start(rank: number)
      for chunk in mapping.chunks(of: rank) {
        guard let tensor = byName[chunk.name] else { throw ConversionError.noName(chunk.name) }
        add(chunk, tensor, rank: number, limit: plan.shardSize.bytes)
      }
      for key in mapping.extraStateObjects(of: rank) { addNothing(key) }
    }
    shards.removeAll { $0.items.isEmpty }
  }

  private mutating func start(rank: Int) {
    let number = shards.count { $0.name.hasPrefix("__\(rank)_") }
    shards.append(Shard(name: "__\(rank)_\(number).distcp"))
  }

  private mutating func add(
    _ chunk: MegatronMapping.Chunk, _ tensor: CheckpointPlan.PlannedTensor, rank: Int, limit: Int
  ) {
    var writer = PickleWriter()
    writer.tensor(storage: 0, type: tensor.type, shape: tensor.shape)
    let archive = PyTorchArchive(pickle: writer.finish(), storages: [tensor.byteCount])
    let held = shards[shards.count - 1].byteCount
    if held > 0, archive.byteCount > limit - held { start(rank: rank) }
    let place = append(
      archive, name: chunk.key,
      chunk: (tensor.type, chunk.shape, chunk.offsets, chunk.sizes))
    shards[shards.count - 1].items[place.item].tensor = StoredTensor(
      name: tensor.name, type: tensor.type, shape: tensor.shape, file: place.file,
      offset: place.start + archive.offset(ofStorage: 0), byteCount: tensor.byteCount)
  }

  /// An object: a list of None.
  private mutating func addNothing(_ key: String) {
    var writer = PickleWriter()
    writer.list { $0.none() }
    _ = append(PyTorchArchive(pickle: writer.finish(), storages: []), name: key, chunk: nil)
  }

  /// Puts an archive behind the others of the last file.
  private mutating func append(
    _ archive: PyTorchArchive, name: String,
    chunk: (type: ScalarType, shape: Shape, offsets: [Int], sizes: [Int])?
  ) -> (file: String, item: Int, start: Int) {
    let last = shards.count - 1, start = shards[last].byteCount
    shards[last].items.append(
      Item(
        described: .init(
          name: name, chunk: chunk, file: shards[last].name, offset: start,
          byteCount: archive.byteCount),
        archive: archive))
    shards[last].byteCount += archive.byteCount
    return (Self.path(shards[last].name), shards[last].items.count - 1, start)
  }

  private static func path(_ name: String) -> String { "\(MegatronCheckpoint.release)/\(name)" }

  var files: [(name: String, bytes: Int)] { shards.map { (Self.path($0.name), $0.byteCount) } }

  var tensors: [StoredTensor] { shards.flatMap { $0.items.compactMap(\.tensor) } }

  var indexes: [(name: String, bytes: [UInt8])] {
    let items = shards.flatMap { $0.items.map(\.described) }
    let backends: JSONValue = [
      "sharded_backend": "torch_dist", "sharded_backend_version": 1, "common_backend": "torch",
      "common_backend_version": 1,
    ]
    return [
      (Self.path(DistributedCheckpoint.metadataName), DistributedDescription.pickle(of: items)),
      (Self.path(DistributedCheckpoint.commonName), common),
      (Self.path("metadata.json"), Array(backends.compact.utf8)),
      (MegatronCheckpoint.trackerName, Array(MegatronCheckpoint.release.utf8)),
    ]
  }

  private static func common(_ arguments: JSONObject, isHomogeneous: Bool) throws -> [UInt8] {
    var writer = PickleWriter()
    writer.dictionary { top in
      top.megatronHead(arguments)
      top.text("content_metadata")
      top.dictionary { content in
        content.text("singleton_local_shards")
        content.bool(false)
        content.text("non_homogeneous_layers")
        content.bool(!isHomogeneous)
      }
    }
    let archive = PyTorchArchive(pickle: writer.finish(), storages: [], folder: "common")
    var bytes: [UInt8] = []
    try archive.write(with: { bytes += $0 }) { _, _ in }
    return bytes
  }

  func write(_ number: Int, to file: OutputFile, produce: TensorProducer) throws {
    for item in shards[number].items {
      try item.archive.write(with: { try file.write($0) }) { _, observe in
        if let tensor = item.tensor { try produce(tensor, observe) }
      }
    }
  }
}
