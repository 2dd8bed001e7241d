import TensorTypes

/// An HDF5 file of numbers and texts being read, by a process of its own.
package final class HDF5Reader {
  /// The path of the file.
  package var path: String { child.path }
  private let child: HDF5Child

  /// Most elements that a dataset may have.
  package static let mostElements = 1 << 28
  /// Most bytes of a text.
  static let longestText = 4096

  /// Opens the file `path`, passes it to `body` and closes it.
  package static func read<Result>(
    _ path: String, _ body: (HDF5Reader) throws -> Result
  ) throws -> Result {
    try body(HDF5Reader(path: path))
  }

  private init(path: String) throws(HDF5Error) { child = try HDF5Child(path) }

  /// The numbers of dataset `name` with its shape; checksums are compared on the way.
  package func doubles(_ name: String) throws(HDF5Error) -> (values: [Double], shape: [Int]) {
    try child.doubles(name)
  }

  /// The numbers of dataset `name`, which has `count` rows of `width` numbers.
  package func rows(_ name: String, count: Int, width: Int) throws(HDF5Error) -> [Double] {
    let (values, shape) = try doubles(name)
    guard shape.first == count, values.count == count * width else {
      throw .failed(
        file: path, operation: "dataset \(name)",
        reason: "it has the shape \(shape), expected \(count) rows of \(width)")
    }
    return values
  }

  /// The texts of dataset `name`, of fixed width and padded with zero bytes.
  package func texts(_ name: String) throws(HDF5Error) -> [String] {
    let (bytes, count, width) = try child.texts(name)
    return (0..<count).map { row in
      String(decoding: bytes[width * row..<width * (row + 1)].prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}
