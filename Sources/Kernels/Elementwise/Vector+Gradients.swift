import CKernels

extension Vector {
  /// dz = dy where z > 0, else 0: the gradient of max(z, 0).
  ///
  /// `z` may hold the result of the ReLU as well as its input; `output` may be dy.
  static func reluBackward(
    _ z: UnsafePointer<Float>, outputGradient dy: UnsafePointer<Float>, count: Int,
    into output: UnsafeMutablePointer<Float>
  ) {
    Parallel.ranges(count, granularity: 64, minimum: 1 << 17) { range in
      let start = range.lowerBound
      ck_relu_backward(Execution.isa, z + start, dy + start, output + start, range.count)
    }
  }

  /// output += the sum of `rows` rows of x [rows, columns], `stride` floats apart: the gradient of
  /// a bias. Sums run in float64.
  static func addColumnSums(
    _ x: UnsafePointer<Float>, rows: Int, columns: Int, stride: Int? = nil,
    to output: UnsafeMutablePointer<Float>
  ) {
    let stride = stride ?? columns, isa = Execution.isa
    Parallel.ranges(columns, granularity: 16, minimum: 1 + (1 << 17) / max(1, rows)) { range in
      withUnsafeTemporaryAllocation(of: Double.self, capacity: range.count) { sums in
        guard let sums = sums.baseAddress else { return }
        for (i, column) in range.enumerated() { sums[i] = Double(output[column]) }
        for r in 0..<rows {
          ck_add_to_doubles(isa, x + r * stride + range.lowerBound, sums, range.count)
        }
        for (i, column) in range.enumerated() { output[column] = Float(sums[i]) }
      }
    }
  }

  /// The sum of x², in float64, in an order that does not depend on threads.
  static func sumOfSquares(_ x: UnsafePointer<Float>, count: Int) -> Double {
    let block = 1 << 18
    let blocks = (count + block - 1) / block
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: max(1, blocks)) { sums in
      guard let sums = sums.baseAddress else { return 0 }
      Parallel.forEach(blocks) { index in
        sums[index] = ck_sum_squares(
          Execution.isa, x + index * block, min(block, count - index * block))
      }
      return (0..<blocks).reduce(0) { $0 + sums[$1] }
    }
  }
}
