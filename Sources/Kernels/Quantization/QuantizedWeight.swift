import CKernels
public import TensorTypes

/// A weight W [out, in] as small integers: W[r][c] = codes[r][c] · scales[r][group of c].
public struct QuantizedWeight: Sendable {
  /// The codes as they are stored: [out, in], or [out, in / 2] bytes of two.
  public let codes: TensorView
  /// What they are.
  public let format: WeightCodes
  /// The scales [out, scales per row].
  public let scales: [Float]
  /// Inputs per scale; the last run of a row may be shorter.
  public let groupSize: Int

  /// A weight of the given parts.
  ///
  /// - Precondition: codes are of `quantization.codes.type` in stored order, `scales` has as many entries
  ///   per row as the granularity says, and a row has at most 65,536 inputs per scale, so that 32-bit
  ///   sums cannot overflow.
  public init(codes: TensorView, scales: [Float], _ quantization: WeightQuantization) {
    let format = quantization.codes, columns = codes.columns * format.perElement
    groupSize = quantization.granularity.size(columns: columns)
    precondition(codes.type == format.type && codes.rowOrder == .stored)
    precondition(scales.count == codes.rows * quantization.granularity.scales(columns: columns))
    precondition(groupSize <= Int(CK_LARGEST_GROUP))
    self.codes = codes
    self.format = format
    self.scales = scales
  }

  /// Outputs.
  public var rows: Int { codes.rows }
  /// Inputs.
  public var columns: Int { codes.columns * format.perElement }
  /// Scales per row.
  public var groups: Int { (columns + groupSize - 1) / groupSize }

  /// Some rows as a weight of their own.
  public func slice(rows range: Range<Int>) -> QuantizedWeight {
    if range == 0..<rows { return self }
    return QuantizedWeight(
      codes: codes.slice(rows: range), format: format,
      scales: Array(scales[range.lowerBound * groups..<range.upperBound * groups]),
      groupSize: groupSize)
  }

  private init(codes: TensorView, format: WeightCodes, scales: [Float], groupSize: Int) {
    self.codes = codes
    self.format = format
    self.scales = scales
    self.groupSize = groupSize
  }

  /// Some rows as float32.
  public func decoded(rows: Range<Int>) -> FloatMatrix {
    let matrix = FloatMatrix(rows: rows.count, columns: columns)
    withExtendedLifetime(matrix) { decode(rows: rows, into: matrix.pointer) }
    return matrix
  }

  /// Decodes `rows` to float32 [rows.count, columns].
  func decode(rows: Range<Int>, into output: UnsafeMutablePointer<Float>) {
    let isa = Execution.isa
    withMatrices(rows: rows) { block, matrix in
      for row in 0..<block.count {
        ck_int8_decode(
          isa, matrix.codes + row * columns, matrix.scales + row * groups, columns, groupSize,
          output + (block.lowerBound - rows.lowerBound + row) * columns)
      }
    }
  }

  /// The specification of `decode`.
  func referenceDecode(rows: Range<Int>, into output: UnsafeMutablePointer<Float>) {
    for (index, row) in rows.enumerated() {
      for c in 0..<columns {
        output[index * columns + c] = Float(code(row, c)) * scales[row * groups + c / groupSize]
      }
    }
  }

  /// The code of one weight; for specifications.
  func code(_ row: Int, _ column: Int) -> Int8 {
    switch format {
    case .int8: return Int8(bitPattern: codes.bytes[row * columns + column])
    case .int4:
      let byte = codes.bytes[row * codes.columns + column / 2]
      return Int8(column.isMultiple(of: 2) ? byte & 15 : byte >> 4) - 8
    }
  }

  /// Bytes of unpacked codes at a time: they stay in the second-level cache.
  private static let unpackedBytes = 1 << 17

  /// Some rows with a byte for each code, as the C kernels see them: all at once where they are stored so,
  /// otherwise in blocks of a multiple of `granularity` rows, whose numbers `body` is given.
  func withMatrices(
    rows: Range<Int>, granularity: Int = 16, _ body: (Range<Int>, ck_int8_matrix) -> Void
  ) {
    guard format == .int4 else { return withMatrix(rows: rows) { body(rows, $0) } }
    let units = max(1, Self.unpackedBytes / max(1, granularity * columns))
    for first in stride(from: rows.lowerBound, to: rows.upperBound, by: units * granularity) {
      let block = first..<min(rows.upperBound, first + units * granularity)
      withMatrix(rows: block) { body(block, $0) }
    }
  }

  /// Some rows with a byte for each code, all at once.
  func withMatrix<Result>(rows: Range<Int>, _ body: (ck_int8_matrix) -> Result) -> Result {
    withStored(rows: rows) { codes, scales in
      func matrix(_ codes: UnsafeRawPointer) -> ck_int8_matrix {
        ck_int8_matrix(
          codes: codes.assumingMemoryBound(to: Int8.self), scales: scales, rows: rows.count,
          columns: columns, group: groupSize)
      }
      guard format == .int4 else { return body(matrix(codes)) }
      let count = rows.count * columns
      return withUnsafeTemporaryAllocation(byteCount: max(count, 1), alignment: 64) { unpacked in
        guard let start = unpacked.baseAddress else { preconditionFailure("memory has an address") }
        ck_int4_unpack(
          codes.assumingMemoryBound(to: UInt8.self), count,
          start.assumingMemoryBound(to: Int8.self))
        return body(matrix(start))
      }
    }
  }

  /// Some rows of codes of 4 bits, as they are stored.
  func withPacked<Result>(rows: Range<Int>, _ body: (ck_int4_matrix) -> Result) -> Result {
    withStored(rows: rows) { codes, scales in
      body(
        ck_int4_matrix(
          codes: codes.assumingMemoryBound(to: UInt8.self), scales: scales, rows: rows.count,
          columns: columns, group: groupSize))
    }
  }

  /// Whether products can read codes of 4 bits as they are stored: groups that are steps of the kernel.
  var readsPacked: Bool {
    format == .int4 && (groupSize >= columns || groupSize.isMultiple(of: 32))
  }

  private func withStored<Result>(
    rows: Range<Int>, _ body: (UnsafeRawPointer, UnsafePointer<Float>) -> Result
  ) -> Result {
    scales.withUnsafeBufferPointer { scales in
      guard let scales = scales.baseAddress, let codes = codes.bytes.baseAddress else {
        preconditionFailure("a quantised weight has elements")
      }
      return body(
        codes + rows.lowerBound * self.codes.columns, scales + rows.lowerBound * groups)
    }
  }
}
