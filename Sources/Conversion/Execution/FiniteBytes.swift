import Checkpoints
import Kernels
import TensorTypes

/// The last look at the numbers of a tensor before they are written: whatever made them, a checkpoint
/// holds no NaN and no infinity.
struct FiniteBytes {
  private let stored: StoredTensor
  /// Elements seen.
  private var seen = 0

  /// Nothing seen yet of `stored`.
  init(of stored: StoredTensor) { self.stored = stored }

  /// Looks at the next bytes; the type's elements are not cut.
  mutating func check(
    _ bytes: UnsafeRawBufferPointer, madeBy transform: (any TensorTransform)?
  ) throws {
    defer { seen += bytes.count / stored.type.blockBytes }
    guard let index = NotFinite.firstIndex(in: bytes, as: stored.type) else { return }
    let size = stored.type.blockBytes, place = seen + index
    let element = TensorView(
      bytes: UnsafeRawBufferPointer(rebasing: bytes[index * size..<(index + 1) * size]),
      type: stored.type, shape: [1], storage: MemoryStorage(count: 0))
    let columns = max(1, stored.shape.columns)
    throw ConversionError.notFinite(
      tensor: stored.name, value: NotFinite(in: element)?.value ?? .nan,
      index: "[\(place / columns), \(place % columns)]", transform: transform?.record)
  }
}
