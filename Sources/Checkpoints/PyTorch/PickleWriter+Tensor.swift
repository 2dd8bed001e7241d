package import TensorTypes

extension PickleWriter {
  /// A contiguous tensor that fills the storage `key` of the archive.
  ///
  /// - Precondition: PyTorch has the type: it is not quantised.
  package mutating func tensor(storage key: Int, type: ScalarType, shape: Shape) {
    let count = shape.elementCount ?? 0
    call("torch._utils", "_rebuild_tensor_v2") { arguments in
      arguments.persistent { id in
        id.tuple { id in
          id.text("storage")
          id.global("torch", type.torchStorage)
          id.text(String(key))
          id.text("cpu")
          id.int(count)
        }
      }
      arguments.int(0)
      arguments.tuple { tuple in shape.dimensions.forEach { tuple.int($0) } }
      arguments.tuple { tuple in shape.strides.forEach { tuple.int($0) } }
      arguments.bool(false)
      arguments.orderedDictionary { _ in }
    }
  }
}

extension ScalarType {
  /// The class of storages of this type in PyTorch; bytes for what it has no type for.
  fileprivate var torchStorage: String {
    switch self {
    case .float64: "DoubleStorage"
    case .float32: "FloatStorage"
    case .float16: "HalfStorage"
    case .bfloat16: "BFloat16Storage"
    case .int64: "LongStorage"
    case .int32: "IntStorage"
    case .int16: "ShortStorage"
    case .int8: "CharStorage"
    case .bool: "BoolStorage"
    default: "ByteStorage"
    }
  }
}

extension Shape {
  /// Elements from one index to the next for each dimension of a contiguous tensor.
  fileprivate var strides: [Int] {
    var strides: [Int] = [], step = 1
    for dimension in dimensions.reversed() {
      strides.append(step)
      step *= max(dimension, 1)
    }
    return strides.reversed()
  }
}
