import TensorTypes

extension Linear {
  /// The specification of `apply`: one dot product in float64 per output.
  static func reference(
    weight: TensorView, bias: UnsafePointer<Float>? = nil,
    input: UnsafePointer<Float>, inputStride: Int? = nil, tokens: Int,
    output: UnsafeMutablePointer<Float>, outputStride: Int? = nil
  ) {
    let columns = weight.columns
    withScratch(columns) { row in
      for r in 0..<weight.rows {
        RowDecoder.reference(weight, rows: r..<r + 1, into: row)
        for t in 0..<tokens {
          let x = input + t * (inputStride ?? columns)
          var sum = bias.map { Double($0[r]) } ?? 0
          for c in 0..<columns { sum += Double(row[c]) * Double(x[c]) }
          output[t * (outputStride ?? weight.rows) + r] = Float(sum)
        }
      }
    }
  }
}
