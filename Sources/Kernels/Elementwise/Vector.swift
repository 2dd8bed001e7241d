import CKernels

/// Elementwise operations on float32 vectors.
public enum Vector {
  /// output += x.
  public static func add(
    _ x: UnsafePointer<Float>, count: Int, to output: UnsafeMutablePointer<Float>
  ) {
    ck_add(x, output, count)
  }

  /// output += factor · x.
  public static func addScaled(
    _ x: UnsafePointer<Float>, by factor: Float, count: Int,
    to output: UnsafeMutablePointer<Float>
  ) {
    ck_add_scaled(x, factor, output, count)
  }

  /// x = max(x, 0); NaN stays NaN.
  public static func reluInPlace(_ x: UnsafeMutablePointer<Float>, count: Int) {
    ck_relu(x, count)
  }

  /// The index of the largest element, the first of equal ones; NaNs are passed over. 0 when
  /// there is no other element.
  public static func argmax(_ x: UnsafePointer<Float>, count: Int) -> Int {
    let largest = ck_max(x, count)
    for i in 0..<count where x[i] == largest { return i }
    return 0
  }

  /// The specification of `argmax`.
  public static func referenceArgmax(_ x: UnsafePointer<Float>, count: Int) -> Int {
    var best = 0
    var value = -Float.infinity
    for i in 0..<count where x[i] > value {
      best = i
      value = x[i]
    }
    return best
  }
}
