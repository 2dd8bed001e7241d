public import Checkpoints
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
    try [Float](repeating: value, count: perBlock).encode(as: type) { bytes in
      for start in stride(from: 0, to: count, by: perBlock) {
        let length = min(perBlock, count - start) * type.blockBytes
        try sink(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
      }
    }
  }
}
