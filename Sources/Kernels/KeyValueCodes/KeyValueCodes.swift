/// Keys and values as integers (W8ASpike's cache): per token and head, codes from -127 to 127 and
/// one factor, the head's largest magnitude / 127.
///
/// Factors are rounded to 17 significant bits. Every code times its factor is then exact in float32,
/// so that coding values that were coded before changes nothing: tokens see the same keys and values
/// before and after they are stored, and a saved state is restored to the last bit.
public enum KeyValueCodes {
  /// Replaces each of the `heads` heads of every row by what its codes decode to.
  public static func roundInPlace(_ x: FloatMatrix, heads: Int) {
    precondition(heads > 0 && x.columns % heads == 0)
    withExtendedLifetime(x) {
      roundInPlace(x.pointer, heads: x.rows * heads, count: x.columns / heads)
    }
  }

  /// Codes `count` values of one head; returns the factor. A value that is not finite makes the
  /// factor NaN or infinite, and with it all decoded values; a head of values below 127 · 2^-126
  /// becomes zero.
  static func encode(
    _ x: UnsafePointer<Float>, count: Int, into codes: UnsafeMutablePointer<Int8>
  ) -> Float {
    var largest: Float = 0
    var isNumber = true
    for i in 0..<count {
      largest = max(largest, x[i].magnitude)
      if x[i].isNaN { isNumber = false }
    }
    let factor = isNumber ? rounded(largest / 127) : .nan
    guard factor > 0, factor.isFinite else {
      for i in 0..<count { codes[i] = factor == 0 ? 0 : 1 }
      return factor
    }
    for i in 0..<count { codes[i] = Int8((x[i] / factor).rounded(.toNearestOrEven)) }
    return factor
  }

  /// The values of one head.
  static func decode(
    _ codes: UnsafePointer<Int8>, factor: Float, count: Int, into x: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<count { x[i] = Float(codes[i]) * factor }
  }

  /// Replaces every head of `count` values by what its codes decode to.
  static func roundInPlace(_ x: UnsafeMutablePointer<Float>, heads: Int, count: Int) {
    withUnsafeTemporaryAllocation(of: Int8.self, capacity: max(count, 1)) { codes in
      guard let codes = codes.baseAddress else { return }
      for head in 0..<heads {
        let factor = encode(x + head * count, count: count, into: codes)
        decode(codes, factor: factor, count: count, into: x + head * count)
      }
    }
  }

  /// `x` >= 0 to 17 significant bits, seven fewer than a float32 has; subnormals, which have not as
  /// many, are 0.
  private static func rounded(_ x: Float) -> Float {
    guard x.isFinite else { return x }
    return x.isNormal ? Float(bitPattern: (x.bitPattern + 0x40) & ~0x7f) : 0
  }
}
