import Kernels
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

  public var summary: String { "values \(values.map { "\($0)" }.joined(separator: ", "))" }

  public func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    let encoded = MemoryStorage(count: values.count * type.blockBytes)
    guard let target = encoded.bytes.baseAddress else { return }
    FloatCast.encode(values, count: values.count, as: type, into: target)
    try sink(UnsafeRawBufferPointer(rebasing: encoded.bytes[..<(values.count * type.blockBytes)]))
  }
}
