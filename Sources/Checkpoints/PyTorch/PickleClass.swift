/// The Python classes that describe a checkpoint or a training. Their instances are made by nothing but
/// this program: a class is no more than a tag on a dictionary or tuple of attributes.
enum PickleClass: Equatable, CustomStringConvertible {
  case metadata
  case tensorMetadata
  case bytesMetadata
  case chunk
  case index
  case properties
  case storageInfo
  /// The arguments of a training.
  case namespace

  /// The name in PyTorch, without its module.
  var description: String {
    switch self {
    case .metadata: "Metadata"
    case .tensorMetadata: "TensorStorageMetadata"
    case .bytesMetadata: "BytesStorageMetadata"
    case .chunk: "ChunkStorageMetadata"
    case .index: "MetadataIndex"
    case .properties: "TensorProperties"
    case .storageInfo: "_StorageInfo"
    case .namespace: "Namespace"
    }
  }

  private static let module = "torch.distributed.checkpoint"
  /// Where torch up to 2.2 had the properties of tensors.
  private static let oldModule = "torch.distributed._shard.sharded_tensor.metadata"
  private static let megatron = "megatron.core.dist_checkpointing.strategies.torch"

  /// The classes by their full names: those of PyTorch, and Megatron's own class of metadata.
  static let names: [(name: String, kind: PickleClass)] =
    [.metadata, .tensorMetadata, .bytesMetadata, .chunk, .index, .properties].map {
      ("\(module).metadata.\($0)", $0)
    } + [
      ("\(module).filesystem.\(PickleClass.storageInfo)", .storageInfo),
      ("\(oldModule).\(PickleClass.properties)", .properties),
      ("\(megatron).MCoreMetadata", .metadata),
      ("argparse.\(PickleClass.namespace)", .namespace),
    ]

  /// Names that such files use for what says nothing about tensors.
  static let irrelevant =
    [
      "metadata.StorageMeta", "metadata._MEM_FORMAT_ENCODING", "planner.SavePlan",
      "planner.WriteItem", "planner.WriteItemType", "planner.TensorWriteData",
    ].map { "\(module).\($0)" }
    + [
      "\(oldModule).MEM_FORMAT_ENCODING", "\(megatron).MCoreSavePlan", "pathlib.PosixPath",
      "pathlib._local.PosixPath", "signal.Signals", "_io.BytesIO",
      "megatron.core.enums.ModelType", "megatron.core.transformer.enums.AttnBackend",
    ]
}
