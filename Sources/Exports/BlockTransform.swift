import Checkpoints
import Conversion
import Kernels
import TensorTypes

/// A projection as blocks: a float16 scale and 32 codes each, Q8_0 or Q4_0.
struct BlockTransform: TensorTransform {
  /// Codes with a scale for each 32 of a row.
  let weight: QuantizedRows

  private var type: ScalarType { weight.quantization.codes.blocks }

  var sources: [String] { weight.names }
  var record: TransformRecord { weight.record(part: "\(type.rawValue)_blocks") }

  func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    let columns = weight.columns, elements = type.blockElements
    let rowsPerBlock = max(1, block / max(8 * columns, 1))
    for first in stride(from: 0, to: weight.rows, by: rowsPerBlock) {
      let rows = first..<min(first + rowsPerBlock, weight.rows)
      let (codes, scales) = try values(rows)
      var bytes: [UInt8] = []
      bytes.reserveCapacity(scales.count * type.blockBytes)
      for (index, scale) in scales.enumerated() {
        let bits = FloatCast.float16(scale)
        bytes.append(UInt8(truncatingIfNeeded: bits))
        bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
        append(codes[index * elements..<(index + 1) * elements], to: &bytes)
      }
      try bytes.withUnsafeBytes(sink)
    }
  }

  /// The codes of a block: bytes, or the first half + 8 in the lower halves of bytes and the second in the
  /// upper ones.
  private func append(_ codes: ArraySlice<Int8>, to bytes: inout [UInt8]) {
    switch weight.quantization.codes {
    case .int8: bytes += codes.map(UInt8.init(bitPattern:))
    case .int4:
      let half = codes.count / 2
      bytes += codes.indices.prefix(half).map {
        WeightCodes.pair(codes[$0], codes[$0 + half])
      }
    }
  }

  /// Codes and scales of some rows; a scale that 16 bits cannot hold is named with this format.
  private func values(_ rows: Range<Int>) throws -> (codes: [Int8], scales: [Float]) {
    do {
      return try weight.block(rows)
    } catch .scale(let tensor, let value, _) {
      throw ExportError.scale(tensor: tensor, value: value, type: type)
    }
  }
}
