import Checkpoints
import Conversion
import Kernels
import StrictJSON
import TensorTypes

/// One of the tensors that a projection as integers is written as.
struct QuantizedTransform: TensorTransform {
  /// Which tensor.
  enum Part: String, Sendable {
    /// Int8 codes [out, in].
    case codes
    /// Bytes of code + 128 [out, in], little-endian int32 words of four; with 4 bits of code + 8 in
    /// halves, the first in the lower one, words of eight.
    case packedCodes = "packed_codes"
    /// Scales [out, scales per row], in their type.
    case scales
    /// Float32 code · scale [out, in].
    case values
  }

  let weight: QuantizedRows
  let part: Part

  var sources: [String] { weight.names }
  var record: TransformRecord { weight.record(part: part.rawValue) }

  func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    let columns = weight.columns
    let rowsPerBlock = max(1, block / max(8 * columns, 1))
    for first in stride(from: 0, to: weight.rows, by: rowsPerBlock) {
      let rows = first..<min(first + rowsPerBlock, weight.rows)
      switch part {
      case .codes: try weight.codes(rows).withUnsafeBytes(sink)
      case .packedCodes:
        try packed(weight.codes(rows)).withUnsafeBytes(sink)
      case .scales:
        try weight.scales(rows).encode(as: weight.scaleType, into: sink)
      case .values:
        let (codes, scales) = try weight.block(rows)
        try values(codes, scales).withUnsafeBytes(sink)
      }
    }
  }

  private func packed(_ codes: [Int8]) -> [UInt8] {
    switch weight.quantization.codes {
    case .int8: codes.map { UInt8(bitPattern: $0) ^ 0x80 }
    case .int4:
      stride(from: 0, to: codes.count, by: 2).map {
        WeightCodes.pair(codes[$0], codes[$0 + 1])
      }
    }
  }

  private func values(_ codes: [Int8], _ scales: [Float]) -> [Float] {
    let columns = weight.columns, size = weight.quantization.granularity.size(columns: columns)
    return codes.indices.map { index in
      let row = index / columns, group = index % columns / size
      return Float(codes[index]) * scales[row * weight.groups + group]
    }
  }
}

/// A matrix of float weights in float32.
struct FloatsTransform: TensorTransform {
  let weight: WeightRows

  var sources: [String] { weight.names }
  var record: TransformRecord {
    switch weight {
    case .stored(let view, _): TransformRecord(copying: view, as: .float32)
    case .product: TransformRecord("product")
    }
  }

  func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    let columns = weight.columns, rowsPerBlock = max(1, block / max(4 * columns, 1))
    var values = [Float](repeating: 0, count: min(rowsPerBlock, weight.rows) * columns)
    for first in stride(from: 0, to: weight.rows, by: rowsPerBlock) {
      let rows = first..<min(first + rowsPerBlock, weight.rows)
      weight.decode(rows, into: &values)
      try values[..<(rows.count * columns)].withUnsafeBytes(sink)
    }
  }
}

/// The shape of a packed weight, as int64 numbers.
struct ShapeTransform: TensorTransform {
  let shape: Shape

  var record: TransformRecord {
    TransformRecord("shape", [("dimensions", .ints(shape.dimensions))])
  }

  func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    try shape.dimensions.map { Int64($0).littleEndian }.withUnsafeBytes(sink)
  }
}
