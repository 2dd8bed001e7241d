import Kernels
import Runtime
import TensorTypes

/// Matrices as tensors.
extension FloatMatrix {
  /// The values after rounding to `type`, as a file of that type holds them.
  func rounded(to type: ScalarType) -> FloatMatrix {
    let storage = MemoryStorage(count: count * type.blockBytes)
    guard FloatCast.canEncode(type), let start = storage.bytes.baseAddress else { return self }
    let rounded = unset
    withExtendedLifetime((self, rounded, storage)) {
      FloatCast.encode(pointer, count: count, as: type, into: start)
      let view = TensorView(
        bytes: UnsafeRawBufferPointer(rebasing: storage.bytes[..<(count * type.blockBytes)]),
        type: type, shape: [rows, columns], storage: storage)
      RowDecoder.decode(view, rows: 0..<rows, into: rounded.pointer)
    }
    return rounded
  }

  /// The values as a tensor.
  var view: TensorView {
    withExtendedLifetime(self) { MemoryStorage.view(Array(elements), shape: [rows, columns]) }
  }
}
