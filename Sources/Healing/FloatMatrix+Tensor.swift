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
    return FloatMatrix(decoding: storage.view(type, shape: [rows, columns]))
  }

  /// The values as a tensor.
  var view: TensorView { MemoryStorage.view(values, shape: [rows, columns]) }
}
