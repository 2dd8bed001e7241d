import Kernels

/// Rows of f32 activations in memory aligned for SIMD.
///
/// The pointers are valid while the matrix lives, and a temporary may die before its pointer is
/// used: bind a matrix to a name, or use the operations below, which keep their operands alive.
public final class FloatMatrix: @unchecked Sendable {
  /// Rows, usually tokens.
  public let rows: Int
  /// Elements per row.
  public let columns: Int
  /// The elements, row-major.
  public let pointer: UnsafeMutablePointer<Float>
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
    UnsafeMutableBufferPointer(start: pointer + row * columns, count: columns)
  }

  /// Where one row starts.
  public func row(_ row: Int) -> UnsafeMutablePointer<Float> { pointer + row * columns }

  /// All elements.
  public var elements: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: pointer, count: count)
  }
}

extension FloatMatrix {
  /// Adds another matrix of the same size.
  package func add(_ other: FloatMatrix) {
    withExtendedLifetime((self, other)) {
      Vector.add(other.pointer, count: count, to: pointer)
    }
  }

  /// silu(self) · up, in place.
  package func gateUp(_ up: FloatMatrix) {
    withExtendedLifetime((self, up)) {
      SwiGLU.apply(gate: pointer, up: up.pointer, count: count, into: pointer)
    }
  }

  /// Copies all rows of `other` to the rows from `row` on.
  public func copyRows(of other: FloatMatrix, to row: Int) {
    withExtendedLifetime((self, other)) {
      self.row(row).update(from: other.pointer, count: other.count)
    }
  }

  /// RMSNorm of every row.
  package func normalizeRows(by weight: [Float], epsilon: Double, into output: FloatMatrix) {
    withExtendedLifetime((self, output)) {
      RMSNorm.apply(
        pointer, rows: rows, count: columns, weight: weight, epsilon: Float(epsilon),
        into: output.pointer)
    }
  }

  /// The index of the first element that is NaN or infinite; nil when all are finite.
  var firstNotFinite: Int? {
    withExtendedLifetime(self) { Vector.firstNotFinite(pointer, count: count) }
  }

  /// The index of the first element that is not finite or so large that the squares of a row of as
  /// many as 2^15 may have an infinite sum, of which a norm would make zeros; nil when there is none.
  var firstTooLarge: Int? {
    withExtendedLifetime(self) { Vector.firstNotFinite(pointer, count: count, below: 0x1p56) }
  }

  /// A copy in memory of its own.
  package var copy: FloatMatrix {
    let copy = FloatMatrix(rows: rows, columns: columns)
    copy.copyRows(of: self, to: 0)
    return copy
  }

  /// RMSNorm of every head of every row, in place, by a weight for each head [heads, d].
  package func normalizeHeads(byEach weight: [Float], heads: Int, epsilon: Double) {
    withExtendedLifetime(self) {
      RMSNorm.apply(
        pointer, rows: rows * heads, count: columns / heads, weight: weight, weightRows: heads,
        epsilon: Float(epsilon), into: pointer)
    }
  }

  /// RMSNorm of every run of `weight.count` elements, in place.
  package func normalizeHeads(by weight: [Float], epsilon: Double) {
    withExtendedLifetime(self) {
      RMSNorm.apply(
        pointer, rows: count / weight.count, count: weight.count, weight: weight,
        epsilon: Float(epsilon), into: pointer)
    }
  }
}
