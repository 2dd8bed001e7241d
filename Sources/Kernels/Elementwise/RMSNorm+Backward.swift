import CKernels

extension RMSNorm {
  /// The gradients of `apply` for the gradient dy of its output.
  ///
  /// With f = 1 / sqrt(mean(x²) + epsilon):
  /// dx = f · weight · dy - f³ / count · (x · (weight · dy)) · x, and dw += sum over rows of
  /// dy · f · x, summed in float64 in an order that does not depend on threads.
  ///
  /// - Parameters:
  ///   - x: the norm's input [rows, count]; for a norm per head, rows are tokens · heads.
  ///   - outputGradient: dy, shaped as x.
  ///   - weightRows: as in `apply`.
  ///   - inputGradient: dx, overwritten; may be x or dy.
  ///   - weightGradient: dw [weightRows, count], added to; nil when not wanted.
  static func backward(
    _ x: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>, rows: Int, count: Int,
    weight: UnsafePointer<Float>, weightRows: Int = 1, epsilon: Float,
    inputGradient: UnsafeMutablePointer<Float>,
    addingWeightGradient weightGradient: UnsafeMutablePointer<Float>? = nil
  ) {
    // Sums per block of rows; how many depends on the sizes alone.
    let blocks = max(1, min(rows, 64, rows * count / 65536)), size = weightRows * count
    let isa = Execution.isa
    withUnsafeTemporaryAllocation(of: Double.self, capacity: blocks * size) { sums in
      guard let sums = sums.baseAddress else { return }
      sums.initialize(repeating: 0, count: blocks * size)
      Parallel.forEach(blocks, if: blocks > 1) { block in
        for r in rows * block / blocks..<rows * (block + 1) / blocks {
          let weightRow = r % weightRows * count
          ck_rms_norm_backward(
            isa, x + r * count, weight + weightRow, outputGradient + r * count, epsilon,
            inputGradient + r * count,
            weightGradient == nil ? nil : sums + block * size + weightRow, count)
        }
      }
      guard let weightGradient else { return }
      for i in 0..<size {
        var sum = Double(weightGradient[i])
        for block in 0..<blocks { sum += sums[block * size + i] }
        weightGradient[i] = Float(sum)
      }
    }
  }

  /// The specification of `backward`, in float64.
  static func backwardReference(
    _ x: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>, rows: Int, count: Int,
    weight: UnsafePointer<Float>, weightRows: Int = 1, epsilon: Float,
    inputGradient: UnsafeMutablePointer<Float>,
    addingWeightGradient weightGradient: UnsafeMutablePointer<Float>? = nil
  ) {
    var sums = [Double](repeating: 0, count: weightRows * count)
    for r in 0..<rows {
      let weightRow = r % weightRows * count
      let row = (0..<count).map { Double(x[r * count + $0]) }
      let dy = (0..<count).map { Double(outputGradient[r * count + $0]) }
      let weighted = (0..<count).map { dy[$0] * Double(weight[weightRow + $0]) }
      let squares = row.reduce(0) { $0 + $1 * $1 }
      let factor = 1 / (squares / Double(count) + Double(epsilon)).squareRoot()
      let pull = zip(row, weighted).reduce(0) { $0 + $1.0 * $1.1 }
      for i in 0..<count {
        sums[weightRow + i] += dy[i] * row[i] * factor
        inputGradient[r * count + i] = Float(
          factor * weighted[i] - factor * factor * factor / Double(count) * pull * row[i])
      }
    }
    guard let weightGradient else { return }
    for i in 0..<sums.count { weightGradient[i] = Float(Double(weightGradient[i]) + sums[i]) }
  }
}
