import CKernels

/// How the bytes of numbers are arranged for entropy coding: the number of byte planes.
///
/// A float's exponent is predictable and its mantissa is not, but the two share bytes. With several
/// planes the sign moves from the top of each element's upper 16 bits to their bottom, and the bytes
/// are then gathered by significance: of n elements the first n bytes are the most significant
/// ones, which for bfloat16 and float32 are the exponents and nothing else.
public enum BytePlanes: Int, Sendable, CaseIterable {
  /// Bytes as they are.
  case one = 1
  /// Of 16-bit elements.
  case two = 2
  /// Of 32-bit elements.
  case four = 4

  /// Writes the planes of the elements in `source` to `planes`.
  ///
  /// - Precondition: both have the same size, a whole number of elements, and do not overlap.
  public func split(_ source: UnsafeRawBufferPointer, into planes: UnsafeMutableRawBufferPointer) {
    precondition(source.count == planes.count && source.count % rawValue == 0)
    guard let from = source.baseAddress, let to = planes.baseAddress else { return }
    switch self {
    case .one: to.copyMemory(from: from, byteCount: source.count)
    case .two: ck_split_planes16(Execution.isa, from, to, source.count / 2)
    case .four: ck_split_planes32(Execution.isa, from, to, source.count / 4)
    }
  }

  /// Writes the elements whose planes are `planes` to `output`.
  ///
  /// - Precondition: both have the same size, a whole number of elements, and do not overlap.
  public func merge(_ planes: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) {
    precondition(planes.count == output.count && planes.count % rawValue == 0)
    guard let from = planes.baseAddress, let to = output.baseAddress else { return }
    switch self {
    case .one: to.copyMemory(from: from, byteCount: planes.count)
    case .two: ck_merge_planes16(Execution.isa, from, to, planes.count / 2)
    case .four: ck_merge_planes32(Execution.isa, from, to, planes.count / 4)
    }
  }
}
