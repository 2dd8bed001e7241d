import Glibc
import StrictJSON

/// What kind of checkpoint a path holds, found out by looking at names and first bytes.
public enum CheckpointLocation: Sendable, Equatable {
  /// A directory with `model.safetensors`, `model.safetensors.index.json` or shards of that name.
  case safetensorsDirectory(String)
  /// A single safetensors file or an index.
  case safetensorsFile(String)
  /// A directory with `pytorch_model.bin` or `pytorch_model.bin.index.json`.
  case pyTorchDirectory(String)
  /// A single PyTorch file or an index.
  case pyTorchFile(String)
  /// A directory with `model.weights.h5` or `model.weights.h5.index.json`.
  case hdf5Directory(String)
  /// A single HDF5 file or an index.
  case hdf5File(String)
  /// A directory with `.metadata` and the files of chunks that it names, or above one of Megatron.
  case torchDistributed(String)
  /// A directory of Megatron's legacy format, or of one of its iterations.
  case megatronDirectory(String)
  /// A GGUF file, the first one where there are several.
  case gguf(String)

  /// Finds out what `path` is; a directory that holds exactly one GGUF model is that model.
  public static func detect(_ path: String) throws(CheckpointError) -> CheckpointLocation {
    guard FileStatus.exists(path) else {
      throw .system(file: path, operation: .open, errno: ENOENT)
    }
    return FileStatus.isDirectory(path) ? try directory(path) : try file(path)
  }

  /// Opens the checkpoint.
  public func open() throws(CheckpointError) -> any CheckpointReader {
    switch self {
    case .safetensorsDirectory(let path), .safetensorsFile(let path):
      try SafetensorsCheckpoint(path: path)
    case .pyTorchDirectory(let path), .pyTorchFile(let path): try PyTorchCheckpoint(path: path)
    case .hdf5Directory(let path), .hdf5File(let path): try HDF5Checkpoint(path: path)
    case .torchDistributed(let path): try DistributedCheckpoint(path: path)
    case .megatronDirectory(let path): try MegatronCheckpoint(path: path)
    case .gguf(let path): try GGUFCheckpoint(path: path)
    }
  }

  private static func directory(_ path: String) throws(CheckpointError) -> CheckpointLocation {
    let names = try FileStatus.names(in: path)
    if isPresent(SafetensorsCheckpoint.self, among: names) { return .safetensorsDirectory(path) }
    // Where both are, they hold the same model and loaders prefer safetensors.
    if isPresent(PyTorchCheckpoint.self, among: names) { return .pyTorchDirectory(path) }
    if isPresent(HDF5Checkpoint.self, among: names) { return .hdf5Directory(path) }
    if DistributedCheckpoint.directory(of: path) != nil { return .torchDistributed(path) }
    if try MegatronCheckpoint.isPresent(at: path, names: names) {
      return .megatronDirectory(path)
    }
    let ggufs = names.filter { $0.hasSuffix(".gguf") && !isLaterPart($0, among: names) }
    if ggufs.count > 1 { throw .ambiguousCheckpoint(path: path, candidates: ggufs) }
    if let gguf = ggufs.first { return .gguf(RelativeName.join(path, gguf)) }
    try refuseOthers(names, in: path)
    for (format, belongs) in recognisedDirectories where names.contains(where: belongs) {
      throw .formatNotSupported(path: path, format: format)
    }
    throw .checkpointNotFound(
      path: path,
      lookedFor: [
        SafetensorsCheckpoint.singleName, SafetensorsCheckpoint.indexName,
        PyTorchCheckpoint.singleName, PyTorchCheckpoint.indexName, HDF5Checkpoint.singleName,
        HDF5Checkpoint.indexName, "*.gguf",
      ],
      found: names.filter { name in
        [".safetensors", ".bin", ".pt", ".pth", ".h5", ".hdf5"].contains { name.hasSuffix($0) }
          && !statesOfTrainings.contains(where: name.hasPrefix)
      })
  }

  /// Whether a directory with files called `names` holds a model of this format.
  private static func isPresent<File>(
    _ checkpoint: ShardedCheckpoint<File>.Type, among names: [String]
  ) -> Bool {
    names.contains(checkpoint.indexName) || names.contains(checkpoint.singleName)
      || checkpoint.shard(among: names) != nil
  }

  /// Refuses files that lie about a model without being one, by name: adapters, and layouts of other
  /// programs.
  ///
  /// - Parameter names: the files of `path`, or the one that was given.
  private static func refuseOthers(
    _ names: [String], in path: String, directory: String? = nil
  ) throws(CheckpointError) {
    let place = directory ?? path
    if names.contains(where: { $0 == adapterConfiguration || $0.hasPrefix("adapter_model.") }) {
      let file = RelativeName.join(place, adapterConfiguration)
      let settings = try? JSONFile.read(file, what: "adapter's configuration", limit: 1 << 20)
      let base = settings?["base_model_name_or_path"]?.string
      throw .noModel(
        path: path, what: "holds an adapter" + (base.map { " for \($0)" } ?? "") + ", not a model",
        advice: CheckpointError.mergeAdvice)
    }
    if let name = names.first(where: { $0.hasPrefix("consolidated.") }) {
      throw .noModel(
        path: path, what: "holds the weights as their makers' own program reads them (\(name))",
        advice:
          "give the same model in Hugging Face's layout, with model.safetensors: transformers "
          + "has scripts that convert")
    }
  }

  /// The file that describes an adapter (PEFT).
  private static let adapterConfiguration = "adapter_config.json"

  /// Whether `name` is a part of a GGUF model whose first part is among `names`.
  private static func isLaterPart(_ name: String, among names: [String]) -> Bool {
    guard let part = GGUFSplit.parse(name), part.number > 0 else { return false }
    return names.contains(GGUFSplit.name(part.stem, 0, of: part.count))
  }

  /// What names begin with of files that trainers write beside a model.
  private static let statesOfTrainings = [
    "training_args.", "optimizer.", "scheduler.", "scaler.", "rng_state",
  ]

  /// Directories whose format is known, by the names of the files they hold.
  private static let recognisedDirectories:
    [(format: String, belongs: @Sendable (String) -> Bool)] = [
      ("Megatron", { $0 == "latest_checkpointed_iteration.txt" || $0.hasPrefix("mp_rank_") }),
      ("torch distributed", { $0.hasSuffix(".distcp") }),
      ("TensorFlow", { $0 == "tf_model.h5" }),
      ("Flax", { $0.hasSuffix(".msgpack") }),
    ]

  private static func file(_ path: String) throws(CheckpointError) -> CheckpointLocation {
    let file = try MappedFile.checkpoint(path)
    defer { withExtendedLifetime(file) {} }
    try refuseOthers(
      [RelativeName.last(path)], in: path, directory: RelativeName.directory(path))
    if file.bytes.starts(with: GGUFFile.magic) { return .gguf(path) }
    let isPyTorch = PyTorchFile.magics.contains { file.bytes.starts(with: $0) }
    let isHDF5 = file.bytes.starts(with: HDF5File.magic)
    if isHDF5 || path.hasSuffix(HDF5Checkpoint.indexName) { return .hdf5File(path) }
    if isPyTorch || path.hasSuffix(PyTorchCheckpoint.indexName) { return .pyTorchFile(path) }
    if path.hasSuffix(".sbz"), file.bytes.starts(with: zstd) {
      throw .noModel(
        path: path, what: "is an archive of this program",
        advice: "spikingbrain unpack \(path) DIR, and give that directory")
    }
    for (format, magic) in magics where file.bytes.starts(with: magic) {
      throw .formatNotSupported(path: path, format: format)
    }
    let isHeader = file.bytes.count > 8 && file.bytes[8] == UInt8(ascii: "{")
    // A damaged file of the right name gets the precise error of the safetensors reader.
    if isHeader || path.hasSuffix(".safetensors") || path.hasSuffix(".index.json") {
      return .safetensorsFile(path)
    }
    throw .unrecognisedFile(path: path)
  }

  private static let zstd: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]

  /// First bytes of known formats that are not read.
  private static let magics: [(format: String, magic: [UInt8])] = [
    ("zstd", zstd),
    ("GGML before GGUF", Array("tjgg".utf8)),
  ]
}
