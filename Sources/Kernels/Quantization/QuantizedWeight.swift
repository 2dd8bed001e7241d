import CKernels
public import TensorTypes

/// A weight W [out, in] in INT8: W[r][c] = codes[r][c] · scales[r][group of c].
public struct QuantizedWeight: Sendable {
  /// The codes [out, in], type `int8`, in stored order.
  public let codes: TensorView
  /// The scales [out, scales per row].
  public let scales: [Float]
  /// Inputs per scale; the last run of a row may be shorter.
  public let groupSize: Int

  /// A weight of the given parts.
  ///
  /// - Precondition: codes are `int8` in stored order, `scales` has `granularity.scales` entries per
  ///   row, and a row has at most 65,536 inputs per scale, so that 32-bit sums cannot overflow.
  public init(codes: TensorView, scales: [Float], granularity: ScaleGranularity) {
    groupSize = granularity.size(columns: codes.columns)
    precondition(codes.type == .int8 && codes.rowOrder == .stored)
    precondition(scales.count == codes.rows * granularity.scales(columns: codes.columns))
    precondition(groupSize <= Int(CK_LARGEST_GROUP))
    self.codes = codes
    self.scales = scales
  }

  /// Outputs.
  public var rows: Int { codes.rows }
  /// Inputs.
  public var columns: Int { codes.columns }
  /// Scales per row.
  public var groups: Int { (columns + groupSize - 1) / groupSize }

  /// Some rows as a weight of their own.
  public func slice(rows range: Range<Int>) -> QuantizedWeight {
    if range == 0..<rows { return self }
    return QuantizedWeight(
      codes: codes.slice(rows: range),
      scales: Array(scales[range.lowerBound * groups..<range.upperBound * groups]),
      groupSize: groupSize)
  }

  private init(codes: TensorView, scales: [Float], groupSize: Int) {
    self.codes = codes
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
    withMatrix(rows: rows) { matrix in
      for row in 0..<rows.count {
        ck_int8_decode(
          isa, matrix.codes + row * columns, matrix.scales + row * groups, columns, groupSize,
          output + row * columns)
      }
    }
  }

  /// The specification of `decode`.
  func referenceDecode(rows: Range<Int>, into output: UnsafeMutablePointer<Float>) {
    for (index, row) in rows.enumerated() {
      for c in 0..<columns {
        let code = Int8(bitPattern: codes.bytes[row * columns + c])
        output[index * columns + c] = Float(code) * scales[row * groups + c / groupSize]
      }
    }
  }

  /// Some rows as the C kernels see them.
  func withMatrix<Result>(rows: Range<Int>, _ body: (ck_int8_matrix) -> Result) -> Result {
    scales.withUnsafeBufferPointer { scales in
      guard let scales = scales.baseAddress, let codes = codes.bytes.baseAddress else {
        preconditionFailure("an INT8 weight has elements")
      }
      return body(
        ck_int8_matrix(
          codes: (codes + rows.lowerBound * columns).assumingMemoryBound(to: Int8.self),
          scales: scales + rows.lowerBound * groups, rows: rows.count, columns: columns,
          group: groupSize))
    }
  }
}
