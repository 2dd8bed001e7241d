import Archives
import Checkpoints
import Foundation
import Foundations
import Kernels
import TensorTypes
import TestSupport

/// Memory for a pipeline of a few frames.
let someMemory = 64 << 20

/// A path below formats/sbz.
func formatPath(_ name: String) -> String { "\(Repository.root)/formats/sbz/\(name)" }

/// The `CheckpointError` that `body` throws, or nil.
func checkpointError(_ body: () throws -> Void) -> CheckpointError? {
  do {
    try body()
    return nil
  } catch {
    return error as? CheckpointError
  }
}

/// Seeded bfloat16 values of a bell-shaped distribution as bytes, or other bytes for other types.
func seededBytes(_ type: ScalarType, count: Int, seed: UInt64) -> [UInt8] {
  var random = SplitMix64(seed: seed)
  guard type == .bfloat16 else {
    return (0..<count * type.blockBytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
  }
  var bytes: [UInt8] = []
  for _ in 0..<count {
    // Four uniform numbers make a bell.
    var sum: Float = -2
    for _ in 0..<4 { sum += Float(random.unit()) }
    let value = FloatCast.bfloat16(0.0346 * sum)
    bytes += [UInt8(value & 255), UInt8(value >> 8)]
  }
  return bytes
}

/// The bytes of a safetensors file of seeded tensors.
func safetensors(_ entries: [SafetensorsHeader.Entry]) throws -> [UInt8] {
  let header = try SafetensorsHeader(file: "test", entries: entries)
  return header.bytes
    + header.tensors.enumerated().flatMap { index, tensor in
      seededBytes(tensor.type, count: tensor.shape.elementCount ?? 0, seed: UInt64(index + 1))
    }
}

/// How many 16-bit elements fill a frame.
let frameElements = ArchiveIndex.frameBytes / 2

/// A directory with every kind of file and tensor that is treated in its own way.
func writeMixedTree(_ directory: TemporaryDirectory) throws -> String {
  try directory.write("in/empty", "")
  try directory.write("in/one", "1")
  try directory.write("in/config.json", String(repeating: #"{"key": "value"}"#, count: 333))
  try directory.write("in/deep/er/notes.txt", "text")
  try directory.write("in/broken.safetensors", "no header")
  try directory.write(
    "in/model.safetensors",
    safetensors([
      .init(name: "a", type: .bfloat16, shape: [3, frameElements / 2 + 7]),
      .init(name: "b", type: .bfloat16, shape: [2 * frameElements]),
      .init(name: "c", type: .float32, shape: [577]),
      .init(name: "d", type: .float16, shape: [31]),
      .init(name: "e", type: .int8, shape: [7, 11]),
      .init(name: "f", type: .uint8, shape: [1]),
      .init(name: "g", type: .int64, shape: [5]),
      .init(name: "h", type: .bool, shape: [3]),
      .init(name: "none", type: .bfloat16, shape: [0, 8]),
      .init(name: "scalar", type: .float32, shape: []),
    ]))
  return directory("in")
}

/// Packs `directory` into `archive`.
@discardableResult
func pack(
  _ directory: String, to archive: String, force: Bool = false, memory: Int = someMemory
) throws -> PackPlan.Result {
  try PackPlan(directory: directory).write(to: archive, force: force, memory: memory)
}
