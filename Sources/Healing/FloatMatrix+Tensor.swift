import Kernels
import Runtime
import TensorTypes

/// Matrices as tensors.
extension FloatMatrix {
  /// The values after rounding to `type`, as a file of that type holds them.
  func rounded(to type: ScalarType) -> FloatMatrix {
    let storage = MemoryStorage(count: count * type.blockBytes)
    guard FloatCast.canEncode(type), let start = storage.bytes.baseAddress else { return self }
    FloatCast.encode(values, count: count, as: type, into: start)
    let bytes = UnsafeRawBufferPointer(rebasing: storage.bytes[..<(count * type.blockBytes)])
    return FloatMatrix(
      decoding: TensorView(bytes: bytes, type: type, shape: [rows, columns], storage: storage))
  }

  /// The values as a tensor.
  var view: TensorView { MemoryStorage.view(values, shape: [rows, columns]) }
}
