import CHDF5
import CHDF5Shim
import HDF5
import TestSupport
import Testing

/// Chunks that a writer without checksums left, or one that means harm.
struct ZstdChunkTests {
  private let directory: TemporaryDirectory
  private let values = (0..<600).map { Double($0 * $0 % 71) }

  init() throws { directory = try TemporaryDirectory() }

  /// A file whose dataset `x` has one zstd chunk and no checksum, its frame as `change` leaves it.
  private func write(_ values: [Double], _ change: ([UInt8]) -> [UInt8]) throws -> String {
    let path = directory("x.h5")
    try HDF5Library.use {
      let file = H5Fcreate(path, ch5_truncate(), ch5_default(), ch5_default())
      var size = hsize_t(values.count), offset: hsize_t = 0, mask: UInt32 = 0
      let space = H5Screate_simple(1, &size, nil), properties = H5Pcreate(ch5_dataset_creation())
      H5Pset_chunk(properties, 1, &size)
      H5Pset_filter(properties, CH5_ZSTD, UInt32(H5Z_FLAG_MANDATORY), 0, nil)
      let set = H5Dcreate2(
        file, "x", ch5_float64(), space, ch5_default(), properties, ch5_default())
      #expect(H5Dwrite(set, ch5_float64(), ch5_all(), ch5_all(), ch5_default(), values) >= 0)
      var bytes: hsize_t = 0
      H5Dget_chunk_storage_size(set, &offset, &bytes)
      var frame = [UInt8](repeating: 0, count: Int(bytes))
      #expect(H5Dread_chunk(set, ch5_default(), &offset, &mask, &frame) >= 0)
      let changed = change(frame)
      #expect(H5Dwrite_chunk(set, ch5_default(), 0, &offset, changed.count, changed) >= 0)
      H5Dclose(set)
      H5Pclose(properties)
      H5Sclose(space)
      H5Fclose(file)
    }
    return path
  }

  private func read(_ path: String) throws -> [Double] {
    try HDF5Reader.read(path) { try $0.doubles("x").values }
  }

  private func expectRefused(_ words: String, _ change: ([UInt8]) -> [UInt8]) throws {
    let path = try write(values, change)
    #expect {
      _ = try read(path)
    } throws: {
      "\($0)".contains("x.h5") && "\($0)".contains("dataset x") && "\($0)".contains(words)
    }
  }

  @Test func `an untouched frame reads back`() throws {
    #expect(try read(write(values) { $0 }) == values)
  }

  @Test func `a truncated frame is refused`() throws {
    try expectRefused("damaged: Src size is incorrect") { Array($0.dropLast(20)) }
    try expectRefused("not a zstd frame") { Array($0.prefix(3)) }
  }

  @Test func `bytes that are no frame are refused`() throws {
    try expectRefused("not a zstd frame") { $0.map { ~$0 } }
    // The frame's blocks, behind a header that is right.
    try expectRefused("damaged: ") { $0.prefix(12) + $0.dropFirst(12).map { ~$0 } }
  }

  @Test func `a frame of another size is refused before memory is taken`() throws {
    var other: [UInt8] = []
    _ = try write([Double](repeating: 0, count: 1 << 20)) { frame in
      other = frame
      return frame
    }
    try expectRefused("not a zstd frame of its size") { _ in other }
    _ = try write([1]) { frame in
      other = frame
      return frame
    }
    try expectRefused("not a zstd frame of its size") { _ in other }
  }
}
