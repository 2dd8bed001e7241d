import Glibc
public import TensorTypes

/// A file that holds a model, or one shard of it.
public protocol ShardFile: CheckpointReader {
  /// The file name of an unsharded model.
  static var singleName: String { get }

  /// Opens the file at `path`.
  init(path: String) throws(CheckpointError)
}

/// A model of one or more safetensors files.
public typealias SafetensorsCheckpoint = ShardedCheckpoint<SafetensorsFile>

/// A model of one or more PyTorch files.
public typealias PyTorchCheckpoint = ShardedCheckpoint<PyTorchFile>

/// A model of one or more HDF5 files.
public typealias HDF5Checkpoint = ShardedCheckpoint<HDF5File>

/// A model of one or more files of the same format, checked against its index.
public struct ShardedCheckpoint<File: ShardFile>: CheckpointReader {
  /// The file name of an unsharded model.
  public static var singleName: String { File.singleName }
  /// The file name of the index of a sharded model.
  public static var indexName: String { File.singleName + ".index.json" }

  public let tensors: [StoredTensor]
  /// The shards in the order of their names; at least one.
  public let shards: [File]

  private let placeOfName: [String: (shard: Int, tensor: Int)]

  public var formatName: String { shards.first?.formatName ?? "" }
  public var files: [String] { shards.flatMap(\.files) }

  /// Opens a model directory, an index, or a single file.
  ///
  /// A directory holds either an index and the shards it names or a single file; when it holds both
  /// and the index does not name the file, loaders disagree on which one counts, so the directory
  /// is refused.
  public init(path: String) throws(CheckpointError) {
    switch try Self.contents(of: path) {
    case .file(let file): try self.init(shards: [File(path: file)])
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
      let files = try ShardIndex(path: index).files
      if files.contains(singleName) { return .index(index) }
      throw .ambiguousCheckpoint(path: path, candidates: [singleName, indexName])
    case (false, false):
      throw .checkpointNotFound(path: path, lookedFor: [singleName, indexName], found: [])
    }
  }

  private init(index path: String) throws(CheckpointError) {
    let index = try ShardIndex(path: path)
    let directory = RelativeName.directory(path)
    let missing = index.files.filter { !FileStatus.exists(RelativeName.join(directory, $0)) }
    guard missing.isEmpty else { throw .missingShards(index: path, files: missing) }
    var shards: [File] = []
    var shardOfName: [String: Int] = [:]
    for (number, file) in index.files.enumerated() {
      shards.append(try File(path: RelativeName.join(directory, file)))
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

  private init(shards: [File]) throws(CheckpointError) {
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
