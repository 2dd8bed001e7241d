import Checkpoints
import TensorTypes

/// A weight in floats of 8 bits, with a scale for the tensor, a row or a block:
/// W[o][i] = code · scale[o / rows][i / columns].
struct Float8Weight: StoredWeight {
  let shape: Shape
  let codes: StoredTensor
  let scales: String
  /// Rows and columns of a block.
  let block: (rows: Int, columns: Int)

  func decode(
    from reader: any CheckpointReader, into values: UnsafeMutableBufferPointer<Float>
  ) throws(CheckpointError) {
    let table = Self.values(of: codes.type)
    let scales = try reader.floats(scales)
    let columns = shape.columns, perRow = (columns + block.columns - 1) / block.columns
    let view = try reader.view(codes.name)
    withExtendedLifetime(view) {
      for row in 0..<shape.rows {
        let first = row / block.rows * perRow
        for column in 0..<columns {
          let index = row * columns + column
          values[index] = table[Int(view.bytes[index])] * scales[first + column / block.columns]
        }
      }
    }
    view.discard()
  }

  /// The value of each byte. E4M3 has no infinity and one NaN; E5M2 has those of IEEE.
  static func values(of type: ScalarType) -> [Float] {
    let (mantissa, bias) = type == .float8_e4m3 ? (3, 7) : (2, 15)
    return (0..<256).map { byte in
      let exponent = (byte & 0x7f) >> mantissa
      let fraction = Float(byte & (1 << mantissa - 1)) / Float(1 << mantissa)
      let sign: FloatingPointSign = byte < 128 ? .plus : .minus
      let magnitude: Float
      if type == .float8_e4m3, byte & 0x7f == 0x7f {
        magnitude = .nan
      } else if type == .float8_e5m2, exponent == 31 {
        magnitude = fraction == 0 ? .infinity : .nan
      } else if exponent == 0 {
        magnitude = fraction * Float(sign: .plus, exponent: 1 - bias, significand: 1)
      } else {
        magnitude = (1 + fraction) * Float(sign: .plus, exponent: exponent - bias, significand: 1)
      }
      return sign == .minus ? -magnitude : magnitude
    }
  }
}

extension WeightParts {
  /// A weight in FP8: its scales are called `weight_scale_inv` or `weight_scale`; both multiply.
  mutating func float8(_ tensor: StoredTensor, block: [Int]?) -> (any StoredWeight)? {
    use(tensor.name)
    guard tensor.shape.dimensions.count == 2 else {
      refuse(tensor, "is no matrix, but \(tensor.shape)")
      return nil
    }
    let rows = tensor.shape.rows, columns = tensor.shape.columns
    let suffix = reader.tensor(named: tensor.name + "_scale_inv") != nil ? "_scale_inv" : "_scale"
    var shapes: [Shape] = [[], [1], [1, 1], [rows, 1], [rows]]
    if let block {
      shapes = [[(rows + block[0] - 1) / block[0], (columns + block[1] - 1) / block[1]]]
    }
    guard
      let scales = part(
        tensor.name, suffix, shapes: shapes, types: [.float32, .bfloat16, .float16])
    else { return nil }
    let perRow = scales.shape.elementCount == rows && rows > 1
    let size =
      block.map { (rows: $0[0], columns: $0[1]) }
      ?? (rows: perRow ? 1 : max(rows, 1), columns: max(columns, 1))
    return Float8Weight(shape: tensor.shape, codes: tensor, scales: scales.name, block: size)
  }
}
