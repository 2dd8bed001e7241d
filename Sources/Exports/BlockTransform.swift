import Checkpoints
import Conversion
import Kernels
import TensorTypes

/// A projection in INT8 as Q8_0 blocks: a float16 scale and 32 codes each.
struct BlockTransform: TensorTransform {
  /// Codes with a scale for each 32 of a row.
  let weight: QuantizedRows

  var sources: [String] { weight.names }
  var record: TransformRecord { weight.record(part: "q8_0_blocks") }

  func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    let columns = weight.columns, elements = ScalarType.q8_0.blockElements
    let rowsPerBlock = max(1, block / max(8 * columns, 1))
    for first in stride(from: 0, to: weight.rows, by: rowsPerBlock) {
      let rows = first..<min(first + rowsPerBlock, weight.rows)
      let (codes, scales) = try values(rows)
      var bytes: [UInt8] = []
      bytes.reserveCapacity(scales.count * ScalarType.q8_0.blockBytes)
      for (index, scale) in scales.enumerated() {
        let bits = FloatCast.float16(scale)
        bytes.append(UInt8(truncatingIfNeeded: bits))
        bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
        for code in codes[index * elements..<(index + 1) * elements] {
          bytes.append(UInt8(bitPattern: code))
        }
      }
      try bytes.withUnsafeBytes(sink)
    }
  }

  /// Codes and scales of some rows; a scale that 16 bits cannot hold is named with this format.
  private func values(_ rows: Range<Int>) throws -> (codes: [Int8], scales: [Float]) {
    do {
      return try weight.block(rows)
    } catch .scale(let tensor, let value, _) {
      throw ExportError.scale(tensor: tensor, value: value, type: .q8_0)
    }
  }
}
