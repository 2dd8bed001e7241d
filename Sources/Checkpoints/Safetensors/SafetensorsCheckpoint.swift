import Glibc
public import TensorTypes

/// A model of one or more safetensors files, checked against its index.
public struct SafetensorsCheckpoint: CheckpointReader {
  /// The file name of an unsharded model.
  public static let singleName = "model.safetensors"
  /// The file name of the index of a sharded model.
  public static let indexName = "model.safetensors.index.json"

  public let formatName = "safetensors"
  public let tensors: [StoredTensor]
  /// The shards in the order of their names.
  public let shards: [SafetensorsFile]

  private let placeOfName: [String: (shard: Int, tensor: Int)]

  public var files: [String] { shards.flatMap(\.files) }

  /// Opens a model directory, an index, or a single file.
  ///
  /// A directory holds either `model.safetensors.index.json` and the shards it names or
  /// `model.safetensors`; when it holds both and the index does not name the file, loaders
  /// disagree on which one counts, so the directory is refused.
  public init(path: String) throws(CheckpointError) {
    switch try Self.contents(of: path) {
    case .file(let file): try self.init(shards: [SafetensorsFile(path: file)])
    case .index(let index): try self.init(index: index)
    }
  }

  /// Where the tensors of a model are listed.
  enum Contents {
    case file(String)
    case index(String)
  }

  /// Which file of `path` to open; `path` may be the file itself.
  static func contents(of path: String) throws(CheckpointError) -> Contents {
    guard FileStatus.isDirectory(path) else {
      return path.hasSuffix(".index.json") ? .index(path) : .file(path)
    }
    let single = RelativeName.join(path, singleName)
    let index = RelativeName.join(path, indexName)
    switch (FileStatus.exists(single), FileStatus.exists(index)) {
    case (true, false): return .file(single)
    case (false, true): return .index(index)
    case (true, true):
      let files = try SafetensorsIndex(path: index).files
      if files.contains(singleName) { return .index(index) }
      throw .ambiguousCheckpoint(path: path, candidates: [singleName, indexName])
    case (false, false):
      throw .checkpointNotFound(path: path, lookedFor: [singleName, indexName], found: [])
    }
  }

  private init(index path: String) throws(CheckpointError) {
    let index = try SafetensorsIndex(path: path)
    let directory = RelativeName.directory(path)
    let missing = index.files.filter { !FileStatus.exists(RelativeName.join(directory, $0)) }
    guard missing.isEmpty else { throw .missingShards(index: path, files: missing) }
    var shards: [SafetensorsFile] = []
    var shardOfName: [String: Int] = [:]
    for (number, file) in index.files.enumerated() {
      shards.append(try SafetensorsFile(path: RelativeName.join(directory, file)))
      shardOfName[file] = number
    }
    try self.init(shards: shards)
    var indexed: Set<String> = []
    for (tensor, file) in index.entries {
      indexed.insert(tensor)
      guard placeOfName[tensor]?.shard == shardOfName[file] else {
        throw .missingFromShard(index: path, tensor: tensor, file: file)
      }
    }
    for tensor in tensors where !indexed.contains(tensor.name) {
      throw .missingFromIndex(index: path, tensor: tensor.name, file: tensor.file)
    }
  }

  private init(shards: [SafetensorsFile]) throws(CheckpointError) {
    self.shards = shards
    self.tensors = shards.flatMap(\.tensors)
    var placeOfName: [String: (shard: Int, tensor: Int)] = [:]
    for (shard, file) in shards.enumerated() {
      for (index, tensor) in file.tensors.enumerated() {
        if let first = placeOfName.updateValue((shard, index), forKey: tensor.name) {
          throw .duplicateTensor(
            tensor: tensor.name, first: shards[first.shard].files[0], second: tensor.file)
        }
      }
    }
    self.placeOfName = placeOfName
  }

  public func tensor(named name: String) -> StoredTensor? {
    placeOfName[name].map { shards[$0.shard].tensors[$0.tensor] }
  }

  public func view(_ name: String) throws(CheckpointError) -> TensorView {
    guard let place = placeOfName[name] else {
      throw .noSuchTensor(file: files.joined(separator: ", "), tensor: name)
    }
    return try shards[place.shard].view(name)
  }
}
