import TensorTypes

extension RowDecoder {
  /// The specification of blocks that models are rarely run in; sources and order of operations as
  /// in `reference`.
  static func decodeRareBlock(
    _ type: ScalarType, _ b: UnsafeRawBufferPointer, _ y: UnsafeMutablePointer<Float>
  ) {
    switch type {
    case .q2_K:
      // Sixteen scales (low) and minima (high), codes of two bits, d and the factor of minima.
      let d = half(b, 80), m = half(b, 82)
      for i in 0..<256 {
        let scale = d * Float(b[i / 16] & 15), minimum = m * Float(b[i / 16] >> 4)
        y[i] = scale * Float(pair(b, 16, i)) - minimum
      }
    case .q3_K:
      // Third bits, codes of two bits, sixteen scales of six bits in twelve bytes, d. A third bit
      // that is set takes nothing away.
      let d = half(b, 108)
      for i in 0..<256 {
        let j = i / 16
        let low = nibble(b[96 + j % 8], j / 8), high = Int(b[104 + j % 4] >> UInt8(j / 4 * 2)) & 3
        let third = Int(b[i % 32] >> UInt8(i / 32)) & 1
        y[i] = d * Float((low | high << 4) - 32) * Float(pair(b, 32, i) - (third == 1 ? 0 : 4))
      }
    case .iq4_nl:
      let d = half(b, 0)
      for i in 0..<32 { y[i] = d * uneven[nibble(b[2 + i % 16], i / 16)] }
    case .iq4_xs:
      let d = half(b, 0), high = b.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
      for i in 0..<256 {
        let part = i / 32
        let upper = Int(high >> UInt16(2 * part)) & 3
        let scale = d * Float((nibble(b[4 + part / 2], part % 2) | upper << 4) - 32)
        y[i] = scale * uneven[nibble(b[8 + 16 * part + i % 16], i % 32 / 16)]
      }
    case .mxfp4:
      // The doubled value of a code times half of 2^(e - 127).
      let d = Float(sign: .plus, exponent: Int(b[0]) - 128, significand: 1)
      for i in 0..<32 { y[i] = d * e2m1[nibble(b[1 + i % 16], i / 16)] }
    case .tq1_0:
      // Bytes of five digits of base three, each byte a fraction of 256.
      let d = half(b, 52)
      for i in 0..<160 { y[i] = d * digit(b[i % 32], i / 32) }
      for i in 0..<80 { y[160 + i] = d * digit(b[32 + i % 16], i / 16) }
      for i in 0..<16 { y[240 + i] = d * digit(b[48 + i % 4], i / 4) }
    case .tq2_0:
      let d = half(b, 64)
      for i in 0..<256 { y[i] = d * Float(pair(b, 0, i) - 1) }
    default: decodeGridBlock(type, b, y)
    }
  }

  /// The values of the codes of IQ4_NL and IQ4_XS.
  private static let uneven: [Float] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
  ]

  /// The values of a float of four bits (E2M1), doubled.
  private static let e2m1: [Float] = [
    0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12,
  ]

  /// Code `i` of two bits: 128 of them lie in 32 bytes, 32 in each pair of bits.
  private static func pair(_ b: UnsafeRawBufferPointer, _ start: Int, _ i: Int) -> Int {
    Int(b[start + i / 128 * 32 + i % 32] >> UInt8(i % 128 / 32 * 2)) & 3
  }

  private static func digit(_ byte: UInt8, _ place: Int) -> Float {
    let rest = (0..<place).reduce(byte) { rest, _ in rest &* 3 }
    return Float((Int(rest) * 3) >> 8) - 1
  }
}
