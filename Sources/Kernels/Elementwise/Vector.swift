import CKernels

/// Elementwise operations on float32 vectors.
public enum Vector {
  /// output += x.
  static func add(
    _ x: UnsafePointer<Float>, count: Int, to output: UnsafeMutablePointer<Float>
  ) {
    add(x, count: count, to: output, isa: Execution.isa)
  }

  /// output += factor · x.
  static func addScaled(
    _ x: UnsafePointer<Float>, by factor: Float, count: Int,
    to output: UnsafeMutablePointer<Float>
  ) {
    addScaled(x, by: factor, count: count, to: output, isa: Execution.isa)
  }

  /// `add`, for loops over short rows.
  static func add(
    _ x: UnsafePointer<Float>, count: Int, to output: UnsafeMutablePointer<Float>, isa: Int32
  ) {
    ck_add(isa, x, output, count)
  }

  /// `addScaled`, for loops over short rows.
  static func addScaled(
    _ x: UnsafePointer<Float>, by factor: Float, count: Int,
    to output: UnsafeMutablePointer<Float>, isa: Int32
  ) {
    ck_add_scaled(isa, x, factor, output, count)
  }

  /// x = max(x, 0); NaN stays NaN.
  static func reluInPlace(_ x: UnsafeMutablePointer<Float>, count: Int) {
    ck_relu(Execution.isa, x, count)
  }

  /// The index of the largest element, the first of equal ones; NaNs are passed over. 0 when
  /// there is no other element.
  static func argmax(_ x: UnsafePointer<Float>, count: Int) -> Int {
    let largest = ck_max(Execution.isa, x, count)
    for i in 0..<count where x[i] == largest { return i }
    return 0
  }

  /// The specification of `argmax`.
  static func referenceArgmax(_ x: UnsafePointer<Float>, count: Int) -> Int {
    var best = 0
    var value = -Float.infinity
    for i in 0..<count where x[i] > value {
      best = i
      value = x[i]
    }
    return best
  }
}
