import Checkpoints
import Kernels
import StrictJSON
import TensorTypes

/// A projection as integers, its rows made when they are asked for.
struct QuantizedRows: Sendable {
  /// Where codes come from.
  enum Origin: Sendable {
    /// Codes and float32 scales that a file holds.
    case codes(TensorView, scales: TensorView, WeightQuantization, names: [String])
    /// Weights rounded here, each to its nearest code at the scale largest magnitude / largest code.
    case rounded(WeightRows)
  }

  /// Where codes come from.
  let origin: Origin
  /// What codes the result has, and how they are scaled.
  let quantization: WeightQuantization
  /// The type of the scales in the result.
  let scaleType: ScalarType
  /// What errors call the weight.
  let name: String

  /// A projection of which every group has one scale; nil when stored codes cannot be that.
  init?(
    _ origin: Origin, _ quantization: WeightQuantization, scaleType: ScalarType = .float32,
    name: String
  ) {
    self.origin = origin
    self.quantization = quantization
    self.scaleType = scaleType
    self.name = name
    if case .codes(_, _, let stored, _) = origin {
      // Codes of 4 bits are ones of 8 too, not the other way round.
      guard quantization.codes == .int8 || stored.codes == .int4 else { return nil }
      // Larger groups are cut into equal ones with the same scale; smaller ones have several.
      let theirs = stored.granularity.size(columns: columns)
      let ours = quantization.granularity.size(columns: columns)
      guard theirs >= columns || theirs % ours == 0 else { return nil }
    }
  }

  /// Outputs.
  var rows: Int {
    switch origin {
    case .codes(let codes, _, _, _): codes.rows
    case .rounded(let weight): weight.rows
    }
  }

  /// Inputs.
  var columns: Int {
    switch origin {
    case .codes(let codes, _, let stored, _): codes.columns * stored.codes.perElement
    case .rounded(let weight): weight.columns
    }
  }

  /// Scales per row.
  var groups: Int { quantization.granularity.scales(columns: columns) }

  /// The names of the tensors in their files.
  var names: [String] {
    switch origin {
    case .codes(_, _, _, let names): names
    case .rounded(let weight): weight.names
    }
  }

  /// What is done with them to make `part` of what the projection is written as.
  func record(part: String) -> TransformRecord {
    var record = TransformRecord("quantised", [("part", .string(part))])
    switch origin {
    case .codes: record["codes"] = "stored"
    case .rounded: record["codes"] = "rounded"
    }
    switch quantization.granularity {
    case .group(let size): record["group"] = .int(size)
    case .channel: record["group"] = "channel"
    }
    if case .rounded(let weight) = origin {
      record["rounding"] = "nearest"
      if case .product = weight { record["of"] = "product" }
    }
    if quantization.codes != .int8 { record["weights"] = .string(quantization.codes.rawValue) }
    if scaleType != .float32 { record["scales"] = .string(scaleType.rawValue) }
    return record
  }

  /// Codes [rows.count, columns] of some rows.
  func codes(_ rows: Range<Int>) throws(ExportError) -> [Int8] {
    switch origin {
    case .codes(let codes, _, let stored, _):
      let view = codes.slice(rows: rows)
      defer { view.discard() }
      return stored.codes.unpacked(view.bytes)
    case .rounded(let weight): return try rounded(weight, rows).codes
    }
  }

  /// Scales [rows.count, groups] of some rows; stored codes are not read for them.
  func scales(_ rows: Range<Int>) throws(ExportError) -> [Float] {
    switch origin {
    case .codes(_, let scales, let stored, _): try repeated(scales, stored, rows)
    case .rounded(let weight): try rounded(weight, rows).scales
    }
  }

  /// Both, of the same rows.
  func block(_ rows: Range<Int>) throws(ExportError) -> (codes: [Int8], scales: [Float]) {
    switch origin {
    case .codes: (try codes(rows), try scales(rows))
    case .rounded(let weight): try rounded(weight, rows)
    }
  }

  /// The stored scales, one for each group of the result.
  private func repeated(
    _ scales: TensorView, _ stored: WeightQuantization, _ rows: Range<Int>
  ) throws(ExportError) -> [Float] {
    let each = scales.columns, size = quantization.granularity.size(columns: columns)
    var values = [Float](repeating: 0, count: rows.count * each)
    RowDecoder.decode(scales, rows: rows, into: &values)
    var result: [Float] = []
    result.reserveCapacity(rows.count * groups)
    for row in 0..<rows.count {
      for group in 0..<groups {
        let place = group * size / stored.granularity.size(columns: columns)
        result.append(try held(values[row * each + place]))
      }
    }
    return result
  }

  private func rounded(
    _ weight: WeightRows, _ rows: Range<Int>
  ) throws(ExportError) -> (codes: [Int8], scales: [Float]) {
    let size = quantization.granularity.size(columns: columns)
    var values = [Float](repeating: 0, count: rows.count * columns)
    weight.decode(rows, into: &values)
    // The exponent of infinities and NaNs is all ones.
    if values.contains(where: { $0.bitPattern & 0x7f80_0000 == 0x7f80_0000 }) {
      throw .notFinite(tensor: name)
    }
    var codes = [Int8](repeating: 0, count: values.count), scales: [Float] = []
    scales.reserveCapacity(rows.count * groups)
    for row in 0..<rows.count {
      for first in stride(from: row * columns, to: (row + 1) * columns, by: size) {
        let count = min(size, (row + 1) * columns - first)
        let scale = values.withUnsafeBufferPointer { values in
          codes.withUnsafeMutableBufferPointer { codes in
            round(values, codes, first: first, count: count)
          }
        }
        scales.append(try held(scale))
      }
    }
    return (codes, scales)
  }

  /// Rounds `count` weights from `first` on; returns their scale in float32.
  private func round(
    _ values: UnsafeBufferPointer<Float>, _ codes: UnsafeMutableBufferPointer<Int8>, first: Int,
    count: Int
  ) -> Float {
    guard let values = values.baseAddress, let codes = codes.baseAddress else { return 1 }
    let rounding = CodeRounding(quantization.codes)
    let scale = rounding.round(
      values + first, count: count, choice: .nearest, into: codes + first)
    let stored = scaleType.rounded(scale)
    if stored != scale, stored > 0, stored.isFinite {
      rounding.round(values + first, count: count, scale: stored, into: codes + first)
    }
    return scale
  }

  /// `scale` as the result holds it; throws when that is far from it.
  private func held(_ scale: Float) throws(ExportError) -> Float {
    let stored = scaleType.rounded(scale)
    guard (stored - scale).magnitude <= scale / 128 else {
      throw .scale(tensor: name, value: scale, type: scaleType)
    }
    return stored
  }
}

extension ScalarType {
  /// `value` rounded to what this type, one that scales are stored in, holds.
  func rounded(_ value: Float) -> Float {
    switch self {
    case .bfloat16: FloatCast.float(bfloat16: FloatCast.bfloat16(value))
    case .float16: FloatCast.float(float16: FloatCast.float16(value))
    default: value
    }
  }
}
