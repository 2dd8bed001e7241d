public import Checkpoints
import Kernels
import StrictJSON
public import TensorTypes

/// Every element the same value: zero biases, norms of ones, gate biases.
public struct ConstantTransform: TensorTransform {
  let value: Float
  let count: Int
  let type: ScalarType

  /// `shape` filled with `value`.
  public init(_ value: Float, shape: Shape, as type: ScalarType) {
    self.value = value
    self.count = shape.elementCount ?? 0
    self.type = type
  }

  public var record: TransformRecord {
    TransformRecord("constant", [("value", .float(value))])
  }

  public func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    let perBlock = max(1, min(count, block / 8))
    let encoded = MemoryStorage(count: perBlock * type.blockBytes)
    guard let target = encoded.bytes.baseAddress else { return }
    FloatCast.encode(
      Array(repeating: value, count: perBlock), count: perBlock, as: type, into: target)
    for start in stride(from: 0, to: count, by: perBlock) {
      let length = min(perBlock, count - start) * type.blockBytes
      try sink(UnsafeRawBufferPointer(rebasing: encoded.bytes[..<length]))
    }
  }
}
