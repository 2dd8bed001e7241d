public import Checkpoints
public import Conversion
import Foundations
import ModelFiles

/// `model.gguf`, or numbered parts: the configuration and the companions are metadata of the first.
public struct GGUFFiles: TensorFiles {
  public static let areComplete = true

  private let headers: [(name: String, header: GGUFHeader)]

  public init(_ plan: CheckpointPlan) throws {
    let parts = GGUFFiles.parts(of: plan)
    guard parts.count <= GGUFSplit.mostParts else {
      throw CheckpointError.limitExceeded(
        file: "model.gguf", quantity: "number of parts", limit: GGUFSplit.mostParts,
        got: UInt64(parts.count))
    }
    let metadata = SpikingBrainGGUF.metadata(
      of: plan.description, configuration: plan.configuration,
      files: try plan.companions.map { ($0.name, try $0.bytes) })
    headers = try parts.enumerated().map { number, entries in
      var keys = number == 0 ? metadata : Array(metadata.prefix(1))
      var name = "model.gguf"
      if parts.count > 1 {
        name = GGUFSplit.name("model", number, of: parts.count)
        // The types that llama.cpp's splitter writes.
        keys.append((GGUFSplit.numberKey, .uint16(UInt16(clamping: number))))
        keys.append((GGUFSplit.countKey, .uint16(UInt16(clamping: parts.count))))
        keys.append((GGUFSplit.tensorCountKey, .int32(Int32(clamping: plan.tensors.count))))
      }
      return (name, try GGUFHeader(file: name, metadata: keys, entries: entries))
    }
  }

  /// The tensors of each file, none of more than the shard size unless one tensor is.
  private static func parts(of plan: CheckpointPlan) -> [[SafetensorsHeader.Entry]] {
    var parts: [[SafetensorsHeader.Entry]] = [[]], bytes = 0
    for tensor in plan.tensors {
      if parts[parts.count - 1].isEmpty == false, tensor.byteCount > plan.shardSize.bytes - bytes {
        parts.append([])
        bytes = 0
      }
      parts[parts.count - 1].append(
        .init(name: tensor.name, type: tensor.type, shape: tensor.shape))
      bytes += tensor.byteCount
    }
    return parts
  }

  public var files: [(name: String, bytes: Int)] {
    headers.map { ($0.name, $0.header.fileBytes) }
  }

  public var tensors: [StoredTensor] { headers.flatMap(\.header.tensors) }

  public func write(_ number: Int, to file: OutputFile, produce: TensorProducer) throws {
    let header = headers[number].header
    try file.write(header.bytes)
    for tensor in header.tensors {
      try produce(tensor, nil)
      let padding = GGUFHeader.padded(file.bytesWritten) - file.bytesWritten
      try file.write([UInt8](repeating: 0, count: padding))
    }
  }
}
