extension FloatCast {
  /// The float32 value of a bfloat16 pattern; signalling NaNs keep their bits.
  public static func float(bfloat16 bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  /// The bfloat16 nearest to `value`, ties to even. NaNs keep sign and upper payload and become
  /// quiet.
  public static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits + 0x7fff + (bits >> 16 & 1)) >> 16)
  }

  /// The float32 value of an IEEE half pattern; NaNs keep sign and payload and become quiet.
  public static func float(float16 bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10 & 31), fraction = UInt32(bits & 0x3ff)
    switch exponent {
    case 31 where fraction != 0: return Float(bitPattern: sign | 0x7fc0_0000 | fraction << 13)
    case 31: return Float(bitPattern: sign | 0x7f80_0000)
    case 0:
      // Subnormal: fraction · 2^-24, exact in float32.
      let magnitude = Float(fraction) * Float(bitPattern: 0x3380_0000)
      return Float(bitPattern: sign | magnitude.bitPattern)
    default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }

  /// The IEEE half nearest to `value`, ties to even; too large becomes infinity. NaNs keep sign
  /// and upper payload and become quiet.
  public static func float16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16(truncatingIfNeeded: bits >> 16 & 0x8000)
    let magnitude = bits & 0x7fff_ffff
    if magnitude > 0x7f80_0000 { return sign | 0x7e00 | UInt16(magnitude >> 13 & 0x3ff) }
    // 65520 = the largest half plus half a unit: from here on the nearest is infinity.
    if magnitude >= 0x477f_f000 { return sign | 0x7c00 }
    if magnitude < 0x3880_0000 {
      // Below 2^-14 halves are multiples of 2^-24: adding 0.5 makes the FPU round there.
      let shifted = Float(bitPattern: magnitude) + 0.5
      return sign | UInt16(truncatingIfNeeded: shifted.bitPattern - Float(0.5).bitPattern)
    }
    let rounded = magnitude + 0xfff + (magnitude >> 13 & 1)
    return sign | UInt16((rounded - (112 << 23)) >> 13)
  }
}
