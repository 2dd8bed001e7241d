import Glibc
package import Kernels
import Runtime

/// A residual stream, or what goes with it, of consecutive tokens [tokens, columns] in a file, f32,
/// read and written a segment at a time: memory does not depend on the number of tokens.
package final class HiddenStream {
  /// Where it is.
  package let path: String
  /// Numbers per token.
  package let columns: Int
  /// The first token that it has room for. Those before 0 are the sinks before every segment.
  private let first: Int
  private let descriptor: Int32

  /// Opens or creates the file at `path`.
  package init(path: String, columns: Int, first: Int = 0) throws(StreamError) {
    self.path = path
    self.columns = columns
    self.first = first
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .file(path, operation: "create", errno: errno) }
  }

  deinit { close(descriptor) }

  /// The rows of the sinks before every segment [n, columns].
  package func sinks() throws(StreamError) -> FloatMatrix { try read(min(first, 0)..<0) }

  /// The rows of `tokens` [T, columns], in their order; neighbours are read together.
  package func read(_ tokens: some RandomAccessCollection<Int>) throws(StreamError) -> FloatMatrix {
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

  /// Calls `body` with the rows of `tokens`, up to 1024 at a time, and with these tokens.
  package func forEachBlock(
    of tokens: [Int], _ body: (FloatMatrix, ArraySlice<Int>) throws -> Void
  ) throws {
    for start in stride(from: 0, to: tokens.count, by: 1024) {
      let block = tokens[start..<min(start + 1024, tokens.count)]
      try body(read(block), block)
    }
  }

  /// Stores the rows of `matrix` as those of `token` and following.
  package func write(_ matrix: FloatMatrix, at token: Int) throws(StreamError) {
    try transfer(matrix, at: token) { pwrite(descriptor, $0, $1, $2) }
  }

  /// Makes what was written survive a crash.
  package func sync() throws(StreamError) {
    guard fdatasync(descriptor) == 0 else { throw .file(path, operation: "sync", errno: errno) }
  }

  private func transfer(
    _ matrix: FloatMatrix, at token: Int, _ move: (UnsafeMutableRawPointer, Int, off_t) -> Int
  ) throws(StreamError) {
    let stride = MemoryLayout<Float>.stride
    let bytes = matrix.count * stride
    var done = 0
    guard let start = UnsafeMutableRawBufferPointer(matrix.elements).baseAddress else { return }
    while done < bytes {
      let count = move(
        start + done, bytes - done,
        off_t((token - first) * columns * stride + done))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        throw .file(path, operation: "access", errno: count < 0 ? errno : EIO)
      }
      done += count
    }
    withExtendedLifetime(matrix) {}
  }
}
