import Glibc

/// What kind of checkpoint a path holds, found out by looking at names and first bytes.
public enum CheckpointLocation: Sendable, Equatable {
  /// A directory with `model.safetensors` or `model.safetensors.index.json`.
  case safetensorsDirectory(String)
  /// A single safetensors file or an index.
  case safetensorsFile(String)
  /// A GGUF file.
  case gguf(String)

  /// Finds out what `path` is; a directory that holds exactly one GGUF file is that file.
  public static func detect(_ path: String) throws(CheckpointError) -> CheckpointLocation {
    guard FileStatus.exists(path) else {
      throw .system(file: path, operation: .open, errno: ENOENT)
    }
    return FileStatus.isDirectory(path) ? try directory(path) : try file(path)
  }

  /// Opens the checkpoint at `path`, of whatever format it is.
  public static func open(_ path: String) throws(CheckpointError) -> any CheckpointReader {
    switch try detect(path) {
    case .safetensorsDirectory(let path), .safetensorsFile(let path):
      try SafetensorsCheckpoint(path: path)
    case .gguf(let path): try GGUFFile(path: path)
    }
  }

  private static func directory(_ path: String) throws(CheckpointError) -> CheckpointLocation {
    let names = try FileStatus.names(in: path)
    if names.contains(SafetensorsCheckpoint.indexName)
      || names.contains(SafetensorsCheckpoint.singleName)
    {
      return .safetensorsDirectory(path)
    }
    let ggufs = names.filter { $0.hasSuffix(".gguf") }
    if ggufs.count > 1 { throw .ambiguousCheckpoint(path: path, candidates: ggufs) }
    if let gguf = ggufs.first { return .gguf(RelativeName.join(path, gguf)) }
    for (format, belongs) in recognisedDirectories where names.contains(where: belongs) {
      throw .formatNotSupported(path: path, format: format)
    }
    throw .checkpointNotFound(
      path: path,
      lookedFor: [SafetensorsCheckpoint.singleName, SafetensorsCheckpoint.indexName, "*.gguf"],
      found: names.filter { $0.hasSuffix(".safetensors") })
  }

  /// Directories whose format is known, by the names of the files they hold.
  private static let recognisedDirectories:
    [(format: String, belongs: @Sendable (String) -> Bool)] = [
      ("PyTorch .bin", { $0.hasPrefix("pytorch_model") && $0.contains(".bin") }),
      ("PyTorch .pt/.pth", { $0.hasSuffix(".pt") || $0.hasSuffix(".pth") }),
      ("Megatron", { $0 == "latest_checkpointed_iteration.txt" || $0.hasPrefix("mp_rank_") }),
      ("torch distributed", { $0.hasSuffix(".distcp") }),
      ("HDF5 weights", { $0.hasSuffix(".h5") || $0.hasSuffix(".hdf5") }),
      ("Flax", { $0.hasSuffix(".msgpack") }),
    ]

  private static func file(_ path: String) throws(CheckpointError) -> CheckpointLocation {
    let file = try MappedFile(path: path)
    for (format, magic) in magics where file.bytes.starts(with: magic) {
      guard let format else { return .gguf(path) }
      throw .formatNotSupported(path: path, format: format)
    }
    let isHeader = file.bytes.count > 8 && file.bytes[8] == UInt8(ascii: "{")
    // A damaged file of the right name gets the precise error of the safetensors reader.
    if isHeader || path.hasSuffix(".safetensors") || path.hasSuffix(".index.json") {
      return .safetensorsFile(path)
    }
    throw .unrecognisedFile(path: path)
  }

  /// First bytes of known formats; nil marks GGUF, the one that is read.
  private static let magics: [(format: String?, magic: [UInt8])] = [
    (nil, GGUFFile.magic),
    ("PyTorch (zip)", [0x50, 0x4b, 0x03, 0x04]),
    ("PyTorch (pickle)", [0x80, 0x02]),
    ("HDF5", [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]),
    ("zstd", [0x28, 0xb5, 0x2f, 0xfd]),
    ("GGML before GGUF", Array("tjgg".utf8)),
  ]
}
