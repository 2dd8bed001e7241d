public import Checkpoints
import TensorTypes

/// Zero bytes that need not be stored: the file gets a hole.
public struct HoleTransform: TensorTransform {
  let byteCount: Int

  /// A hole of `byteCount` bytes.
  public init(byteCount: Int) { self.byteCount = byteCount }

  public var record: TransformRecord { TransformRecord("hole") }

  public func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    let zeros = MemoryStorage(count: min(block, max(byteCount, 1)))
    var rest = byteCount
    while rest > 0 {
      let count = min(rest, zeros.bytes.count)
      try sink(UnsafeRawBufferPointer(rebasing: zeros.bytes[..<count]))
      rest -= count
    }
  }
}
