import CKernels
import TensorTypes

extension RowDecoder {
  /// The specification of blocks whose codes name points of a grid; sources and order of operations as
  /// in `reference`. The grids themselves are those of the C kernels.
  static func decodeGridBlock(
    _ type: ScalarType, _ b: UnsafeRawBufferPointer, _ y: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<256 {
      switch type {
      case .iq2_xxs:
        let part = 2 + i / 32 * 8, word = bits(b, part + 4)
        let scale = half(b, 0) * (0.5 + Float(word >> 28)) * 0.25
        y[i] = scale * even(type, Int(b[part + i % 32 / 8]), i) * sign(word, i)
      case .iq2_xs:
        let word = Int(b.loadUnaligned(fromByteOffset: 2 + i / 8 * 2, as: UInt16.self))
        let scale = half(b, 0) * (0.5 + Float(nibble(b[66 + i / 32], i / 16 % 2))) * 0.25
        y[i] = scale * even(type, word & 511, i) * sign(paritySigns(word >> 9), i)
      case .iq2_s:
        let upper = Int(b[66 + i / 32] >> UInt8(i / 8 % 4 * 2)) & 3
        let scale = half(b, 0) * (0.5 + Float(nibble(b[74 + i / 32], i / 16 % 2))) * 0.25
        y[i] = scale * even(type, Int(b[2 + i / 8]) | upper << 8, i) * sign(b[34 + i / 8], i)
      case .iq3_xxs:
        let word = bits(b, 66 + i / 32 * 4)
        let scale = half(b, 0) * (0.5 + Float(word >> 28)) * 0.5
        let code = point(type, Int(b[2 + i / 4])) >> (i % 4 * 4) & 15
        y[i] = scale * [4, 12, 20, 28, 36, 44, 52, 62][code] * sign(word, i)
      case .iq3_s:
        let upper = Int(b[66 + i / 32] >> UInt8(i / 4 % 8)) & 1
        let scale = half(b, 0) * Float(1 + 2 * nibble(b[106 + i / 64], i / 32 % 2))
        let code = point(type, Int(b[2 + i / 4]) | upper << 8) >> (i % 4 * 4) & 15
        y[i] = scale * Float(1 + 2 * code) * sign(b[74 + i / 8], i)
      case .iq1_s:
        let word = Int(b.loadUnaligned(fromByteOffset: 34 + i / 32 * 2, as: UInt16.self))
        let index = Int(b[2 + i / 8]) | (word >> (i / 8 % 4 * 3) & 7) << 8
        let scale = half(b, 0) * Float(2 * (word >> 12 & 7) + 1)
        y[i] = scale * (ternary(index, i) + (word >> 15 == 1 ? -0.125 : 0.125))
      case .iq1_m:
        // The factor lies in the upper four bits of four words.
        let words = (0..<4).map { b.loadUnaligned(fromByteOffset: 48 + 2 * $0, as: UInt16.self) }
        let factor = words.enumerated().reduce(UInt16(0)) {
          $0 | ($1.element >> 12) << (4 * $1.offset)
        }
        let upper = nibble(b[32 + i / 16], i / 8 % 2),
          scale = Int(words[i / 64] >> (i / 16 % 4 * 3)) & 7
        let value = ternary(Int(b[i / 8]) | (upper & 7) << 8, i)
        y[i] =
          FloatCast.float(float16: factor) * Float(2 * scale + 1)
          * (value + (upper & 8 != 0 ? -0.125 : 0.125))
      default: preconditionFailure("not a floating-point type")
      }
    }
  }

  /// Point `index` of the grid of `type`: codes, the first lowest.
  private static func point(_ type: ScalarType, _ index: Int) -> Int {
    Int(ck_grid(type.kernelCode, index))
  }

  /// One of the eight values of a point of the grids of two bits.
  private static func even(_ type: ScalarType, _ index: Int, _ i: Int) -> Float {
    [8, 25, 43][point(type, index) >> (i % 8 * 2) & 3]
  }

  /// One of the eight values of a point of the grid of -1, 0 and 1.
  private static func ternary(_ index: Int, _ i: Int) -> Float {
    Float(point(.iq1_s, index) >> (i % 8 * 2) & 3) - 1
  }

  private static func bits(_ b: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
    b.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
  }

  /// The sign of value `i` by a byte of them.
  private static func sign(_ signs: UInt8, _ i: Int) -> Float { signs >> (i % 8) & 1 == 1 ? -1 : 1 }

  /// The sign of value `i` of 32 by seven bits for each eight of them.
  private static func sign(_ word: UInt32, _ i: Int) -> Float {
    sign(paritySigns(Int(word >> (i % 32 / 8 * 7))), i)
  }

  /// Eight signs from the lowest seven bits: an even number of them is minus.
  private static func paritySigns(_ bits: Int) -> UInt8 {
    let seven = UInt8(bits & 127)
    return seven | UInt8(seven.nonzeroBitCount & 1) << 7
  }
}
