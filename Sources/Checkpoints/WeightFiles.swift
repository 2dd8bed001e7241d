/// Which of the names in a listing are a model's weights: what `CheckpointLocation` would open of a
/// directory, told before any of it is there.
package enum WeightFiles: Sendable, Equatable {
  /// All files of the model.
  case files([String])
  /// The index that names them.
  case index(String)
  /// GGUF models, each by its first file.
  case gguf([String])
  /// There are none.
  case none

  /// The weights among `names`, of which the formats are preferred as `CheckpointLocation` does.
  package init(among names: [String]) {
    let found =
      Self.listing(SafetensorsCheckpoint.self, names) ?? Self.listing(PyTorchCheckpoint.self, names)
      ?? Self.listing(HDF5Checkpoint.self, names)
    let models = names.filter { $0.hasSuffix(".gguf") && Self.isFirst($0) }
    self = found ?? (models.isEmpty ? .none : .gguf(models))
  }

  private static func listing<File>(
    _ checkpoint: ShardedCheckpoint<File>.Type, _ names: [String]
  ) -> WeightFiles? {
    // Where both are, the single file is read.
    if names.contains(checkpoint.singleName) { return .files([checkpoint.singleName]) }
    if names.contains(checkpoint.indexName) { return .index(checkpoint.indexName) }
    return checkpoint.shard(among: names).map { .files($0.all) }
  }

  /// Whether `name` is a model's only file, or the first of several.
  private static func isFirst(_ name: String) -> Bool {
    GGUFSplit.parse(name).map { $0.number == 0 } ?? true
  }

  /// The files of the GGUF model whose first file is `name`; that file alone where it is no part.
  package static func parts(of name: String) -> [String] {
    guard let part = GGUFSplit.parse(name), part.count > 1 else { return [name] }
    return (0..<part.count).map { GGUFSplit.name(part.stem, $0, of: part.count) }
  }

  /// The files that the index at `path` names.
  package static func named(byIndex path: String) throws(CheckpointError) -> [String] {
    try ShardIndex(path: path).files
  }

  /// Whether `name` ends as files of weights of any format do.
  package static func isWeights(_ name: String) -> Bool {
    [".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".gguf", ".onnx", ".ckpt"]
      .contains(where: name.hasSuffix) && name != "calibration.h5"
  }
}
