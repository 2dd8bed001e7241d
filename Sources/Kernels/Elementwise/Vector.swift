/// Elementwise operations on float32 vectors.
public enum Vector {
  /// output += x.
  public static func add(
    _ x: UnsafePointer<Float>, count: Int, to output: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<count { output[i] += x[i] }
  }

  /// output += factor · x.
  public static func addScaled(
    _ x: UnsafePointer<Float>, by factor: Float, count: Int,
    to output: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<count { output[i] += factor * x[i] }
  }

  /// x = max(x, 0); NaN stays NaN.
  public static func reluInPlace(_ x: UnsafeMutablePointer<Float>, count: Int) {
    for i in 0..<count { x[i] = x[i] < 0 ? 0 : x[i] }
  }

  /// The index of the largest element, the first of equal ones; NaNs are passed over. 0 when
  /// there is no other element.
  public static func argmax(_ x: UnsafePointer<Float>, count: Int) -> Int {
    var best = 0
    var value = -Float.infinity
    for i in 0..<count where x[i] > value {
      best = i
      value = x[i]
    }
    return best
  }
}
