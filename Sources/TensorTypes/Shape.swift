/// The dimensions of a tensor, slowest first (row-major), with checked arithmetic.
public struct Shape: Sendable, Hashable, CustomStringConvertible, ExpressibleByArrayLiteral {
  /// The dimensions, slowest first. Empty for a scalar.
  public let dimensions: [Int]

  /// A shape of the given dimensions, slowest first.
  public init(_ dimensions: [Int]) { self.dimensions = dimensions }

  /// A shape of the given dimensions, slowest first.
  public init(arrayLiteral elements: Int...) { self.dimensions = elements }

  /// The product of the dimensions, or nil when one is negative or the product overflows.
  public var elementCount: Int? {
    var product = 1
    for dimension in dimensions {
      guard dimension >= 0 else { return nil }
      let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
      if overflow { return nil }
      product = next
    }
    return product
  }

  /// Bytes of a contiguous tensor of this shape, or nil when the size overflows or a row is not a
  /// whole number of blocks.
  public func byteCount(_ type: ScalarType) -> Int? {
    guard (dimensions.last ?? 1) % type.blockElements == 0, let count = elementCount else {
      return nil
    }
    return type.byteCount(elements: count)
  }

  /// Rows when seen as a matrix: all dimensions but the last. 1 for a vector or scalar.
  public var rows: Int { dimensions.dropLast().reduce(1, *) }

  /// Columns when seen as a matrix: the last dimension. 1 for a scalar.
  public var columns: Int { dimensions.last ?? 1 }

  /// `[2, 3]`
  public var description: String {
    "[" + dimensions.map(String.init).joined(separator: ", ") + "]"
  }
}
