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

/// A model of one or more files of the same format.
///
/// An index says which files belong to it; the files themselves say what they hold, as for
/// `transformers`. Where the two differ, `notes` say so.
public struct ShardedCheckpoint<File: ShardFile>: CheckpointReader {
  /// The file name of an unsharded model.
  public static var singleName: String { File.singleName }
  /// The file name of the index of a sharded model.
  public static var indexName: String { File.singleName + ".index.json" }

  public let tensors: [StoredTensor]
  public let notes: [String]
  /// The shards in the order of their names; at least one.
  public let shards: [File]

  private let placeOfName: [String: (shard: Int, tensor: Int)]

  public var formatName: String { shards.first?.formatName ?? "" }
  public var files: [String] { shards.flatMap(\.files) }

  /// Opens a model directory, an index, or a single file.
  ///
  /// A directory holds an index and the shards it names, a single file, or all shards of a model by
  /// their names; one of these shards stands for all of them. When it holds an index and a single file
  /// that the index does not name, the single file counts, as for `transformers`, and `notes` say so.
  public init(path: String) throws(CheckpointError) {
    switch try Self.contents(of: path) {
    case .file(let file, let other):
      try self.init(
        shards: [File(path: file)],
        notes: other.map {
          ["\(Self.singleName) is read, as by transformers, not the files that \($0) names."]
        } ?? [])
    case .index(let index): try self.init(index: index)
    case .shards(let files):
      var shards: [File] = []
      for file in files { shards.append(try File(path: file)) }
      try self.init(
        shards: shards,
        notes: ["There is no \(Self.indexName): all \(files.count) shards by their names are read."]
      )
    }
  }

  /// Where the tensors of a model are listed.
  enum Contents {
    /// A file, and the index of other files that lies beside it.
    case file(String, beside: String? = nil)
    case index(String)
    /// Every shard of a model without an index.
    case shards([String])
  }

  /// Which file of `path` to open; `path` may be the file itself.
  static func contents(of path: String) throws(CheckpointError) -> Contents {
    guard FileStatus.isDirectory(path) else {
      if path.hasSuffix(".index.json") { return .index(path) }
      let directory = RelativeName.directory(path)
      guard let shard = shard(RelativeName.last(path)), shard.count > 1 else { return .file(path) }
      let index = RelativeName.join(directory, indexName)
      return FileStatus.exists(index) ? .index(index) : try shards(like: shard, in: directory)
    }
    let single = RelativeName.join(path, singleName)
    let index = RelativeName.join(path, indexName)
    switch (FileStatus.exists(single), FileStatus.exists(index)) {
    case (true, false): return .file(single)
    case (false, true): return .index(index)
    case (true, true):
      let files = try ShardIndex(path: index).files
      return files.contains(singleName) ? .index(index) : .file(single, beside: indexName)
    case (false, false):
      guard let shard = try shard(among: FileStatus.names(in: path)) else {
        throw .checkpointNotFound(path: path, lookedFor: [singleName, indexName], found: [])
      }
      return try shards(like: shard, in: path)
    }
  }

  /// A shard of a model under this format's usual name; nil when there is none.
  static func shard(among names: [String]) -> ShardName? { names.lazy.compactMap(shard).first }

  private static func shard(_ name: String) -> ShardName? {
    let dot = singleName.lastIndex(of: ".") ?? singleName.endIndex
    guard let shard = ShardName(name, suffix: String(singleName[dot...])),
      shard.stem == singleName[..<dot]
    else { return nil }
    return shard
  }

  /// All shards of the model that `shard` belongs to.
  private static func shards(
    like shard: ShardName, in directory: String
  ) throws(CheckpointError) -> Contents {
    let files = shard.all
    let missing = files.filter { !FileStatus.exists(RelativeName.join(directory, $0)) }
    guard missing.isEmpty else {
      throw .incompleteShards(path: directory, index: indexName, missing: missing)
    }
    return .shards(files.map { RelativeName.join(directory, $0) })
  }

  private init(index path: String) throws(CheckpointError) {
    let index = try ShardIndex(path: path)
    let directory = RelativeName.directory(path)
    let missing = index.files.filter { !FileStatus.exists(RelativeName.join(directory, $0)) }
    guard missing.isEmpty else { throw .missingShards(index: path, files: missing) }
    var shards: [File] = []
    for file in index.files {
      shards.append(try File(path: RelativeName.join(directory, file)))
    }
    let held = Set(shards.flatMap { $0.tensors.map(\.name) })
    let indexed = Set(index.entries.map(\.tensor))
    let shortName = RelativeName.last(path)
    let lost = index.entries.map(\.tensor).filter { !held.contains($0) }
    let extra = shards.flatMap { $0.tensors.map(\.name) }.filter { !indexed.contains($0) }
    try self.init(
      shards: shards,
      notes: [
        Self.note(lost, "\(shortName) names", "that no shard holds"),
        Self.note(extra, "\(shortName) does not name", "that shards hold: used all the same"),
      ].compactMap(\.self))
  }

  private static func note(_ names: [String], _ before: String, _ after: String) -> String? {
    guard let first = names.first else { return nil }
    let more = names.count > 1 ? " and \(names.count - 1) more" : ""
    return "\(before) \(first)\(more), \(after)."
  }

  private init(shards: [File], notes: [String] = []) throws(CheckpointError) {
    self.shards = shards
    self.notes = notes
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
