public import Checkpoints
import Kernels
import StrictJSON
public import TensorTypes

/// A few given numbers.
public struct ValuesTransform: TensorTransform {
  let values: [Float]
  let type: ScalarType

  /// A vector of `values` as `type`.
  public init(_ values: [Float], as type: ScalarType) {
    self.values = values
    self.type = type
  }

  public var record: TransformRecord {
    TransformRecord("given", [("values", .array(values.map { .float($0) }))])
  }

  public func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    try values.encode(as: type, into: sink)
  }
}

extension [Float] {
  /// Passes the numbers as `type` to `sink`.
  package func encode(
    as type: ScalarType, into sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let encoded = MemoryStorage(count: count * type.blockBytes)
    guard let target = encoded.bytes.baseAddress else { return }
    FloatCast.encode(self, count: count, as: type, into: target)
    try sink(UnsafeRawBufferPointer(rebasing: encoded.bytes[..<(count * type.blockBytes)]))
  }
}
