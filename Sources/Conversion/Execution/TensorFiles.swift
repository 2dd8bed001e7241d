public import Checkpoints
import Foundations

/// The files of one format that planned tensors go into. Adding a format that is written is one file
/// with a type that conforms; a plan names it as its `format`.
public protocol TensorFiles: Sendable {
  /// Whether the files hold the configuration and the companions too, so that nothing is written
  /// beside them but the manifest.
  static var areComplete: Bool { get }
  /// Decides the files of `plan`.
  init(_ plan: CheckpointPlan) throws
  /// Names and bytes of the files, in the order in which they are written.
  var files: [(name: String, bytes: Int)] { get }
  /// The tensors at their places, by file, then by offset.
  var tensors: [StoredTensor] { get }
  /// Small files beside them, in which loaders look tensors up.
  var indexes: [(name: String, bytes: [UInt8])] { get }
  /// Writes file `number` from start to end; `produce` appends the bytes of one of its tensors.
  func write(_ number: Int, to file: OutputFile, produce: TensorProducer) throws
}

extension TensorFiles {
  /// Tensors alone.
  public static var areComplete: Bool { false }
  /// No small files.
  public var indexes: [(name: String, bytes: [UInt8])] { [] }
}

/// Appends the bytes of a tensor to the file that is being written; `observe` is shown every block,
/// for formats that check sums of their own.
public typealias TensorProducer = (
  _ tensor: StoredTensor, _ observe: ((UnsafeRawBufferPointer) -> Void)?
) throws -> Void

/// `model.safetensors`, or numbered files with an index.
public struct SafetensorsFiles: TensorFiles {
  private let plan: ShardPlan

  public init(_ plan: CheckpointPlan) throws {
    self.plan = try ShardPlan(
      plan.tensors.map { .init(name: $0.name, type: $0.type, shape: $0.shape) },
      limit: plan.shardSize.bytes)
  }

  public var files: [(name: String, bytes: Int)] {
    plan.shards.map { ($0.file, $0.header.fileBytes) }
  }

  public var tensors: [StoredTensor] { plan.tensors }

  public var indexes: [(name: String, bytes: [UInt8])] {
    plan.index.map { [(SafetensorsCheckpoint.indexName, Array($0.utf8))] } ?? []
  }

  public func write(_ number: Int, to file: OutputFile, produce: TensorProducer) throws {
    let header = plan.shards[number].header
    try file.write(header.bytes)
    for tensor in header.tensors { try produce(tensor, nil) }
  }
}
