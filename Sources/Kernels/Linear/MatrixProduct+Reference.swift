extension MatrixProduct {
  /// The specification of `multiply`: one sum in float64 per element, over operands rounded to
  /// `precision` whatever the CPU and the sizes.
  static func reference(
    _ form: Form = .plain, _ a: UnsafePointer<Float>, aStride: Int? = nil,
    _ b: UnsafePointer<Float>, bStride: Int? = nil, m: Int, n: Int, k: Int, adding: Bool = false,
    into c: UnsafeMutablePointer<Float>, cStride: Int? = nil, precision: Precision = .float32
  ) {
    let aStride = aStride ?? (form == .transposedLeft ? m : k)
    let bStride = bStride ?? (form == .transposedRight ? k : n)
    for i in 0..<m {
      for j in 0..<n {
        let target = i * (cStride ?? n) + j
        var sum = adding ? Double(c[target]) : 0
        for p in 0..<k {
          let left = form == .transposedLeft ? a[p * aStride + i] : a[i * aStride + p]
          let right = form == .transposedRight ? b[j * bStride + p] : b[p * bStride + j]
          sum += precision.rounded(left) * precision.rounded(right)
        }
        c[target] = Float(sum)
      }
    }
  }
}

extension MatrixProduct.Precision {
  fileprivate func rounded(_ value: Float) -> Double {
    switch self {
    case .float32: Double(value)
    case .bfloat16: Double(FloatCast.float(bfloat16: FloatCast.bfloat16(value)))
    }
  }
}
