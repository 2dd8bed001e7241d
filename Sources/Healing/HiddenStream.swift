import Glibc
package import Runtime
import TensorTypes

/// Residual streams or targets of all tokens [tokens, columns] in a file, read and written a
/// segment at a time: memory does not depend on the number of tokens.
package final class HiddenStream {
  package let path: String
  package let columns: Int
  private let descriptor: Int32

  /// Opens or creates the file at `path`.
  package init(path: String, columns: Int) throws(HealingError) {
    self.path = path
    self.columns = columns
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .file(path, operation: "create", errno: errno) }
  }

  deinit { close(descriptor) }

  /// The rows of tokens `first` to `first + count - 1`.
  package func read(_ first: Int, count: Int) throws(HealingError) -> FloatMatrix {
    let matrix = FloatMatrix(rows: count, columns: columns)
    try transfer(matrix, at: first) { pread(descriptor, $0, $1, $2) }
    return matrix
  }

  /// The rows of `tokens`, in their order; neighbours are read together.
  func rows(_ tokens: some RandomAccessCollection<Int>) throws(HealingError) -> FloatMatrix {
    let matrix = FloatMatrix(rows: tokens.count, columns: columns)
    var row = 0
    var rest = tokens[...]
    while let first = rest.first {
      let run = zip(rest, first...).prefix { $0 == $1 }.count
      try transfer(matrix.rows(row..<row + run), at: first) { pread(descriptor, $0, $1, $2) }
      row += run
      rest = rest.dropFirst(run)
    }
    return matrix
  }

  /// Stores the rows of `matrix` as those of tokens `first` and following.
  package func write(_ matrix: FloatMatrix, at first: Int) throws(HealingError) {
    try transfer(matrix, at: first) { pwrite(descriptor, $0, $1, $2) }
  }

  /// Makes what was written survive a crash.
  package func sync() throws(HealingError) {
    guard fdatasync(descriptor) == 0 else { throw .file(path, operation: "sync", errno: errno) }
  }

  private func transfer(
    _ matrix: FloatMatrix, at first: Int, _ move: (UnsafeMutableRawPointer, Int, off_t) -> Int
  ) throws(HealingError) {
    let stride = MemoryLayout<Float>.stride
    let bytes = matrix.count * stride
    var done = 0
    while done < bytes {
      let count = move(
        UnsafeMutableRawPointer(matrix.pointer) + done, bytes - done,
        off_t(first * columns * stride + done))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        throw .file(path, operation: "access", errno: count < 0 ? errno : EIO)
      }
      done += count
    }
    withExtendedLifetime(matrix) {}
  }
}
