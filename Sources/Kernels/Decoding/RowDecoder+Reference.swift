public import TensorTypes

extension RowDecoder {
  /// The specification of `decode`: one element after the other.
  ///
  /// Source of the block formats: ggml-quants (`dequantize_row_*`), operations in the same order
  /// and rounded after each one.
  public static func reference(
    _ view: TensorView, rows: Range<Int>, into output: UnsafeMutablePointer<Float>
  ) {
    precondition(supports(view.type))
    let columns = view.columns, blocks = columns / view.type.blockElements
    for (index, row) in rows.enumerated() {
      let bytes = view.row(row)
      let target = output + index * columns
      for block in 0..<blocks {
        let start = block * view.type.blockBytes
        let source = UnsafeRawBufferPointer(rebasing: bytes[start..<start + view.type.blockBytes])
        decodeBlock(view.type, source, target + block * view.type.blockElements)
      }
    }
  }

  /// Decodes one block (one element for plain types).
  private static func decodeBlock(
    _ type: ScalarType, _ b: UnsafeRawBufferPointer, _ y: UnsafeMutablePointer<Float>
  ) {
    switch type {
    case .float32: y[0] = b.loadUnaligned(as: Float.self)
    case .float64: y[0] = Float(b.loadUnaligned(as: Double.self))
    case .float16: y[0] = half(b, 0)
    case .bfloat16: y[0] = FloatCast.float(bfloat16: b.loadUnaligned(as: UInt16.self))
    case .q8_0:
      let d = half(b, 0)
      for i in 0..<32 { y[i] = Float(Int8(bitPattern: b[2 + i])) * d }
    case .q4_0:
      let d = half(b, 0)
      for i in 0..<32 { y[i] = Float(nibble(b[2 + i % 16], i / 16) - 8) * d }
    case .q4_1:
      let d = half(b, 0), m = half(b, 2)
      for i in 0..<32 { y[i] = Float(nibble(b[4 + i % 16], i / 16)) * d + m }
    case .q5_0:
      let d = half(b, 0), high = b.loadUnaligned(fromByteOffset: 2, as: UInt32.self)
      for i in 0..<32 {
        y[i] = Float((nibble(b[6 + i % 16], i / 16) | Int(high >> UInt32(i) & 1) << 4) - 16) * d
      }
    case .q5_1:
      let d = half(b, 0), m = half(b, 2)
      let high = b.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
      for i in 0..<32 {
        y[i] = Float(nibble(b[8 + i % 16], i / 16) | Int(high >> UInt32(i) & 1) << 4) * d + m
      }
    case .q4_K:
      for i in 0..<256 {
        let (d, m) = scaleAndMinimum(b, i / 32)
        y[i] = d * Float(nibble(b[16 + i / 64 * 32 + i % 32], i / 32 % 2)) - m
      }
    case .q5_K:
      for i in 0..<256 {
        let (d, m) = scaleAndMinimum(b, i / 32)
        let high = Int(b[16 + i % 32] >> UInt8(i / 32)) & 1
        y[i] = d * Float(nibble(b[48 + i / 64 * 32 + i % 32], i / 32 % 2) | high << 4) - m
      }
    case .q6_K:
      // 128 bytes of low nibbles, 64 of high bit pairs, 16 signed scales, d. Each half of 128
      // elements takes its four quarters from low nibbles 0-31, 32-63 and the high nibbles.
      let d = half(b, 208)
      for i in 0..<256 {
        let part = i / 128, quarter = i % 128 / 32, l = i % 32
        let low = nibble(b[part * 64 + quarter % 2 * 32 + l], quarter / 2)
        let high = Int(b[128 + part * 32 + l] >> UInt8(2 * quarter)) & 3
        let scale = Int8(bitPattern: b[192 + i / 16])
        y[i] = d * Float(scale) * Float((low | high << 4) - 32)
      }
    default: decodeRareBlock(type, b, y)
    }
  }

  static func half(_ b: UnsafeRawBufferPointer, _ offset: Int) -> Float {
    FloatCast.float(float16: b.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }

  /// The low (0) or high (1) four bits.
  static func nibble(_ byte: UInt8, _ which: Int) -> Int {
    Int(byte >> UInt8(4 * which)) & 15
  }

  /// Scale and minimum of sub-block `j` (0-7) of a q4_K or q5_K block: 6-bit integers packed in
  /// 12 bytes after the two half-precision factors.
  private static func scaleAndMinimum(_ b: UnsafeRawBufferPointer, _ j: Int) -> (Float, Float) {
    let s = UnsafeRawBufferPointer(rebasing: b[4..<16])
    let scale: UInt8
    let minimum: UInt8
    if j < 4 {
      scale = s[j] & 63
      minimum = s[j + 4] & 63
    } else {
      scale = s[j + 4] & 15 | (s[j - 4] >> 6) << 4
      minimum = s[j + 4] >> 4 | (s[j] >> 6) << 4
    }
    return (half(b, 0) * Float(scale), half(b, 2) * Float(minimum))
  }
}
