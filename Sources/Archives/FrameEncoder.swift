import CZstd
import Kernels

/// Makes zstd frames; for one thread at a time.
final class FrameEncoder: @unchecked Sendable {
  // @unchecked: a pool lends it to one thread at a time.

  /// What a frame is searched for.
  enum Method: Equatable {
    /// Frequent bytes only. Weights have no repetitions worth finding, and looking for them costs
    /// speed and, because chance matches break up the coded bytes, size.
    case frequencies
    /// Repetitions too.
    case repetitions
  }

  private let context: OpaquePointer
  private let scratch = UnsafeMutableRawBufferPointer.allocate(
    byteCount: ArchiveIndex.frameBytes, alignment: 64)

  init() {
    guard let context = ZSTD_createCCtx() else { preconditionFailure("out of memory") }
    self.context = context
  }

  deinit {
    ZSTD_freeCCtx(context)
    scratch.deallocate()
  }

  /// The most bytes that a frame of `count` bytes can take.
  static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

  /// Writes a frame with the planes of `bytes` to `output`; returns its size.
  ///
  /// - Precondition: `output` holds `bound(bytes.count)`; with several planes, `bytes` is at most
  ///   one frame's and a whole number of elements.
  func encode(
    _ bytes: UnsafeRawBufferPointer, planes: BytePlanes, method: Method,
    into output: UnsafeMutableRawBufferPointer
  ) -> Int {
    var source = bytes
    if planes != .one {
      let target = UnsafeMutableRawBufferPointer(rebasing: scratch[..<bytes.count])
      planes.split(bytes, into: target)
      source = UnsafeRawBufferPointer(target)
    }
    configure(method)
    let size = ZSTD_compress2(
      context, output.baseAddress, output.count, source.baseAddress, source.count)
    // With room for the bound only a lack of memory leads here; no input does.
    precondition(ZSTD_isError(size) == 0, "libzstd: \(String(cString: ZSTD_getErrorName(size)))")
    return size
  }

  /// A search of 64 places for 7 equal bytes finds next to nothing, at next to no cost: of libzstd's
  /// stable parameters these come closest to coding frequencies alone. Negative levels would switch
  /// that coding off.
  private func configure(_ method: Method) {
    ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters)
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    switch method {
    case .frequencies:
      ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1)
      ZSTD_CCtx_setParameter(context, ZSTD_c_strategy, Int32(ZSTD_fast.rawValue))
      ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, 7)
      ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, 6)
    case .repetitions:
      ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 3)
    }
  }
}
