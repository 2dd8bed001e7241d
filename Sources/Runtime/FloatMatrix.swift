/// Rows of f32 activations in memory aligned for SIMD.
public final class FloatMatrix: @unchecked Sendable {
  /// Rows, usually tokens.
  public let rows: Int
  /// Elements per row.
  public let columns: Int
  /// The elements, row-major.
  public let pointer: UnsafeMutablePointer<Float>

  /// A matrix whose elements are not yet set.
  public init(rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
    let bytes = max(rows * columns, 1) * MemoryLayout<Float>.stride
    pointer = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
      .bindMemory(to: Float.self, capacity: max(rows * columns, 1))
  }

  deinit { pointer.deallocate() }

  /// The number of elements.
  public var count: Int { rows * columns }

  /// The elements of one row.
  public subscript(row: Int) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: pointer + row * columns, count: columns)
  }

  /// All elements.
  public var elements: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: pointer, count: count)
  }
}
