import CHDF5
import CHDF5Shim

/// The elements of an open dataset, read some rows at a time: whole chunks, each of them once.
struct HDF5Rows {
  let set: hid_t
  /// The lengths of its dimensions, slowest first.
  let shape: [Int]
  /// Bytes of one element in memory.
  let elementBytes: Int
  /// Rows of a chunk; 1 where there are none.
  let chunkRows: Int
  /// The dataset and its file, for errors.
  let name: String
  let file: String

  /// Bytes that are read at a time, unless one row of chunks has more.
  private static let partBytes = 8 << 20

  /// Reads all elements, converted to `type`, and passes them to `body` in order.
  func read(as type: hid_t, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let count = shape.first ?? 1
    // At most 2^60, by what was checked before.
    let rowBytes = shape.dropFirst().reduce(elementBytes, *)
    guard count > 0, rowBytes > 0 else { return }
    let perChunk = rowBytes * min(chunkRows, count)
    let rows = min(count, chunkRows * max(1, HDF5Rows.partBytes / perChunk))
    ch5_allow(
      shape.reduce(elementBytes, *) / HDF5OpenFile.bytesPerSecond, rows * rowBytes)
    var bytes = [UInt8](repeating: 0, count: rows * rowBytes)
    for first in stride(from: 0, to: count, by: rows) {
      let now = min(rows, count - first)
      try read(first, now, as: type, into: &bytes)
      try bytes.withUnsafeBytes { try body(.init(rebasing: $0[..<(now * rowBytes)])) }
    }
  }

  private func read(
    _ first: Int, _ count: Int, as type: hid_t, into bytes: inout [UInt8]
  ) throws(HDF5Error) {
    guard !shape.isEmpty else {
      guard H5Dread(set, type, ch5_all(), ch5_all(), ch5_default(), &bytes) >= 0 else {
        throw failure
      }
      return
    }
    var start = shape.map { _ in hsize_t(0) }, sizes = shape.map { hsize_t($0) }
    start[0] = hsize_t(first)
    sizes[0] = hsize_t(count)
    let place = H5Dget_space(set), memory = H5Screate_simple(Int32(sizes.count), sizes, nil)
    defer {
      H5Sclose(memory)
      H5Sclose(place)
    }
    guard H5Sselect_hyperslab(place, H5S_SELECT_SET, start, nil, sizes, nil) >= 0,
      H5Dread(set, type, memory, place, ch5_default(), &bytes) >= 0
    else { throw failure }
  }

  /// To be asked for before anything is closed, which forgets it.
  private var failure: HDF5Error { .last("cannot read dataset \(name)", file) }
}
