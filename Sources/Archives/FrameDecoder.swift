import CZstd
import Kernels

/// Reads zstd frames; for one thread at a time.
final class FrameDecoder: @unchecked Sendable {
  // @unchecked: a pool lends it to one thread at a time.

  /// What is wrong with a frame.
  struct Damage: Error {
    /// In words.
    var reason: String
  }

  /// The first four bytes of a frame, as a little-endian number.
  static let magic: UInt32 = 0xfd2f_b528

  private let context: OpaquePointer
  private let scratch = UnsafeMutableRawBufferPointer.allocate(
    byteCount: ArchiveIndex.frameBytes, alignment: 64)

  init() {
    guard let context = ZSTD_createDCtx() else { preconditionFailure("out of memory") }
    self.context = context
  }

  deinit {
    ZSTD_freeDCtx(context)
    scratch.deallocate()
  }

  /// Writes the bytes whose planes `frame` holds to `output`, which they must fill.
  ///
  /// - Precondition: with several planes, `output` is at most one frame's and a whole number of
  ///   elements.
  func decode(
    _ frame: UnsafeRawBufferPointer, planes: BytePlanes,
    into output: UnsafeMutableRawBufferPointer
  ) throws(Damage) {
    try checkHeader(frame, bytes: output.count)
    guard planes != .one else { return try decompress(frame, into: output) }
    let target = UnsafeMutableRawBufferPointer(rebasing: scratch[..<output.count])
    try decompress(frame, into: target)
    planes.merge(UnsafeRawBufferPointer(target), into: output)
  }

  /// One frame and nothing else, with a checksum, without a dictionary, of the expected size.
  private func checkHeader(_ frame: UnsafeRawBufferPointer, bytes: Int) throws(Damage) {
    guard frame.count > 5,
      UInt32(littleEndian: frame.loadUnaligned(as: UInt32.self)) == FrameDecoder.magic
    else { throw Damage(reason: "no zstd frame") }
    // The descriptor: bit 2 says that there is a checksum, bits 0, 1, 3 and 4 must be 0.
    guard frame[4] & 0x1f == 4 else { throw Damage(reason: "a zstd frame without checksum") }
    guard ZSTD_getFrameContentSize(frame.baseAddress, frame.count) == UInt64(bytes) else {
      throw Damage(reason: "it does not hold \(bytes) bytes")
    }
    let size = ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count)
    guard ZSTD_isError(size) == 0, size == frame.count else {
      throw Damage(reason: "it does not end where the seek table says")
    }
  }

  private func decompress(
    _ frame: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(Damage) {
    let size = ZSTD_decompressDCtx(
      context, output.baseAddress, output.count, frame.baseAddress, frame.count)
    guard ZSTD_isError(size) == 0 else {
      throw Damage(reason: String(cString: ZSTD_getErrorName(size)))
    }
    guard size == output.count else { throw Damage(reason: "it holds \(size) bytes") }
  }
}
