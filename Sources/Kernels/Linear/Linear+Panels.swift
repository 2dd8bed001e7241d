import TensorTypes

extension LinearCall {
  /// Many tokens: panels of rows are decoded to float32 and multiplied, with operands
  /// rounded to bfloat16 where that is allowed and pays.
  ///
  /// No more than one panel per thread is ever in float32, whatever the size of the matrix.
  func runPanels() {
    let columns = columns
    // About 2 MB of float32 per panel, but no fewer rows than the kernels block: what a block costs
    // beside its multiply-adds is then shared by as many as can be.
    let ideal = max(256, (1 << 19) / max(1, columns))
    // Panels in equal numbers per thread, in multiples of 16 rows.
    let threads = Parallel.threadCount
    let count = ((weight.rows + ideal - 1) / ideal + threads - 1) / threads * threads
    let panelRows = max(16, ((weight.rows + count - 1) / count + 15) / 16 * 16)
    let panels = (weight.rows + panelRows - 1) / panelRows
    Parallel.forEach(panels) { panel in
      let rows = panel * panelRows..<min(weight.rows, (panel + 1) * panelRows)
      if let stored = storedFloats(rows) {
        multiply(stored, rows)
      } else {
        withScratch(rows.count * columns) { scratch in
          decode(rows, into: scratch)
          multiply(scratch, rows)
        }
      }
    }
  }

  /// The rows in place, when they are aligned float32 in stored order.
  private func storedFloats(_ rows: Range<Int>) -> UnsafePointer<Float>? {
    guard weight.type == .float32, weight.rowOrder == .stored, !weight.isAltered,
      let base = weight.bytes.baseAddress
    else { return nil }
    let start = base + rows.lowerBound * weight.rowBytes
    guard Int(bitPattern: start) % MemoryLayout<Float>.alignment == 0 else { return nil }
    return start.assumingMemoryBound(to: Float.self)
  }

  private func multiply(_ panel: UnsafePointer<Float>, _ rows: Range<Int>) {
    let columns = columns, y = output + rows.lowerBound
    Product.multiply(
      .transposedRight, input, stride: inputStride, panel, stride: columns, m: tokens,
      n: rows.count, k: columns, into: y, stride: outputStride, by: kernel)
    guard let bias else { return }
    let isa = Execution.isa
    for t in 0..<tokens {
      Vector.add(
        bias + rows.lowerBound, count: rows.count, to: y + t * outputStride, isa: isa)
    }
  }
}
