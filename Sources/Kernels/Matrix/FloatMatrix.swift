public import TensorTypes

/// Rows of f32 numbers in memory aligned for SIMD: what kernels read and write.
///
/// The buffers that it hands out are valid while the matrix lives, and a temporary may die before its
/// buffer is used: bind a matrix to a name, or use its operations, which keep their operands alive.
public final class FloatMatrix: @unchecked Sendable {
  /// Rows, usually tokens.
  public let rows: Int
  /// Elements per row.
  public let columns: Int
  /// The elements, row-major.
  let pointer: UnsafeMutablePointer<Float>
  /// The matrix that owns the elements, when this one is a part of it.
  private let owner: FloatMatrix?

  /// A matrix whose elements are not yet set.
  public init(rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
    owner = nil
    let bytes = max(rows * columns, 1) * MemoryLayout<Float>.stride
    pointer = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
      .bindMemory(to: Float.self, capacity: max(rows * columns, 1))
  }

  private init(_ owner: FloatMatrix, rows: Range<Int>) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= owner.rows)
    self.owner = owner
    self.rows = rows.count
    columns = owner.columns
    pointer = owner.pointer + rows.lowerBound * owner.columns
  }

  deinit { if owner == nil { pointer.deallocate() } }

  /// Some of the rows, in place.
  public func rows(_ rows: Range<Int>) -> FloatMatrix { FloatMatrix(self, rows: rows) }

  /// The number of elements.
  public var count: Int { rows * columns }

  /// The elements of one row.
  public subscript(row: Int) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: self.row(row), count: columns)
  }

  /// All elements.
  public var elements: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: pointer, count: count)
  }

  /// Where one row starts.
  func row(_ row: Int) -> UnsafeMutablePointer<Float> { pointer + row * columns }
}

extension FloatMatrix {
  /// A matrix of the given values.
  public convenience init(_ values: [Float], rows: Int) {
    self.init(rows: rows, columns: values.count / max(rows, 1))
    for (index, value) in values.enumerated() { pointer[index] = value }
  }

  /// The rows of a stored matrix as float32.
  public convenience init(decoding view: TensorView, rows: Range<Int>? = nil) {
    let rows = rows ?? 0..<view.rows
    self.init(rows: rows.count, columns: view.columns)
    RowDecoder.decode(view, rows: rows, into: pointer)
  }

  /// A matrix of the same size whose elements are not yet set.
  public var unset: FloatMatrix { FloatMatrix(rows: rows, columns: columns) }

  /// A matrix of zeros of the same size: where a gradient is summed up.
  public var zeros: FloatMatrix {
    let zeros = unset
    zeros.elements.update(repeating: 0)
    return zeros
  }

  /// A copy in memory of its own.
  public var copy: FloatMatrix {
    let copy = unset
    copy.copyRows(of: self, to: 0)
    return copy
  }

  /// The values as a plain array, row-major.
  public var values: [Float] { withExtendedLifetime(self) { Array(elements) } }

  /// Copies all rows of `other` to the rows from `row` on.
  public func copyRows(of other: FloatMatrix, to row: Int) {
    precondition(other.columns == columns && row >= 0 && row + other.rows <= rows)
    withExtendedLifetime((self, other)) {
      self.row(row).update(from: other.pointer, count: other.count)
    }
  }

  /// Puts the rows of a stored matrix in the place of those from `row` on.
  public func decode(_ view: TensorView, rows: Range<Int>, to row: Int = 0) {
    precondition(view.columns == columns && row >= 0 && row + rows.count <= self.rows)
    withExtendedLifetime(self) { RowDecoder.decode(view, rows: rows, into: self.row(row)) }
  }

  /// Copies of some rows, in the order given.
  public func gathered(_ rows: [Int]) -> FloatMatrix {
    let gathered = FloatMatrix(rows: rows.count, columns: columns)
    withExtendedLifetime((self, gathered)) {
      for (place, row) in rows.enumerated() {
        gathered.row(place).update(from: self.row(row), count: columns)
      }
    }
    return gathered
  }

  /// Adds each row of `other`, times its factor if there are any, to the row of this matrix that
  /// `rows` names.
  public func add(_ other: FloatMatrix, toRows rows: [Int], times factors: [Float]? = nil) {
    precondition(other.columns == columns)
    let isa = Execution.isa
    withExtendedLifetime((self, other)) {
      for (place, row) in rows.enumerated() {
        if let factors {
          Vector.addScaled(
            other.row(place), by: factors[place], count: columns, to: self.row(row), isa: isa)
        } else {
          Vector.add(other.row(place), count: columns, to: self.row(row), isa: isa)
        }
      }
    }
  }

  /// Precondition of all elementwise operations.
  func requireSize(of other: FloatMatrix) {
    precondition(other.rows == rows && other.columns == columns)
  }
}
