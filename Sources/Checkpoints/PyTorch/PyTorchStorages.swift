import Synchronization
import TensorTypes

extension MappedFile {
  /// The tensor at `place`, whose checksum is compared unless `checked` knows it; put in order in
  /// memory when its elements do not follow each other.
  func view(
    of tensor: StoredTensor, at place: PyTorchFile.Place, checked: CheckedEntries
  ) throws(CheckpointError) -> TensorView {
    if checked.isNew(place.entry.range.lowerBound) {
      let stored = UnsafeRawBufferPointer(rebasing: bytes[place.entry.range])
      try place.entry.check(stored, file: path)
      discard(stored)
      checked.insert(place.entry.range.lowerBound)
    }
    guard let strides = place.strides else { return view(of: tensor) }
    return gathered(tensor, strides: strides)
  }

  /// A strided tensor put in order in memory.
  private func gathered(_ tensor: StoredTensor, strides: [Int]) -> TensorView {
    let storage = MemoryStorage(count: tensor.byteCount), size = tensor.type.blockBytes
    let dimensions = tensor.shape.dimensions
    var index = [Int](repeating: 0, count: dimensions.count), source = tensor.offset
    for target in stride(from: 0, to: tensor.byteCount, by: size) {
      storage.bytes[target..<target + size].copyBytes(from: bytes[source..<source + size])
      var dimension = dimensions.count - 1
      while dimension >= 0 {
        index[dimension] += 1
        source += strides[dimension]
        if index[dimension] < dimensions[dimension] { break }
        source -= strides[dimension] * dimensions[dimension]
        index[dimension] = 0
        dimension -= 1
      }
    }
    return storage.view(tensor.type, shape: tensor.shape)
  }
}

/// The entries whose checksum was found right, by their first byte.
final class CheckedEntries: Sendable {
  private let places = Mutex<Set<Int>>([])

  func isNew(_ place: Int) -> Bool { places.withLock { !$0.contains(place) } }
  func insert(_ place: Int) { places.withLock { _ = $0.insert(place) } }
}
