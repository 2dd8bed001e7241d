import TensorTypes

/// A run of logical rows that lie at equal distances in storage.
struct RowRun {
  /// The first logical row.
  var first: Int
  /// Logical rows in the run.
  var count: Int
  /// The stored bytes of the first row.
  var base: UnsafeRawPointer
  /// Bytes from one row to the next.
  var stride: Int
}

extension TensorView {
  /// Cuts logical `rows` into runs of constant stride.
  ///
  /// Stored order is one run; interleaved rotary order has two runs of stride 2 per head.
  func forEachRun(in rows: Range<Int>, _ body: (RowRun) -> Void) {
    guard !rows.isEmpty, let start = bytes.baseAddress else { return }
    switch rowOrder {
    case .stored:
      body(
        RowRun(
          first: rows.lowerBound, count: rows.count, base: start + rows.lowerBound * rowBytes,
          stride: rowBytes))
    case .interleavedRotary(let headDim):
      let half = headDim / 2
      var row = rows.lowerBound
      while row < rows.upperBound {
        let count = min(half - row % half, rows.upperBound - row)
        body(
          RowRun(
            first: row, count: count, base: start + rowOrder.storedRow(of: row) * rowBytes,
            stride: 2 * rowBytes))
        row += count
      }
    }
  }
}
