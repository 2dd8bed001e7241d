import CKernels
import Synchronization

extension Vector {
  /// Elements that one thread looks through.
  private static let finiteStep = 1 << 17

  /// The index of the first of `count` elements that is NaN or infinite, or whose magnitude is
  /// `limit` or more; nil when there is none.
  static func firstNotFinite(
    _ x: UnsafePointer<Float>, count: Int, below limit: Float = .infinity
  ) -> Int? {
    let first = Atomic<Int>(count), step = finiteStep
    Parallel.forEach((count + step - 1) / step) { piece in
      let start = piece * step, length = min(step, count - start)
      let found = ck_first_from_32(Execution.isa, x + start, limit.bitPattern, length)
      if found < length { first.min(start + found, ordering: .relaxed) }
    }
    let found = first.load(ordering: .relaxed)
    return found < count ? found : nil
  }

  /// The specification of `firstNotFinite`.
  static func referenceFirstNotFinite(
    _ x: UnsafePointer<Float>, count: Int, below limit: Float = .infinity
  ) -> Int? {
    (0..<count).first { !(x[$0].magnitude < limit) }
  }
}
