/// Products of float32 matrices, row-major, as forward and backward passes of linear layers need.
///
/// A layer y = x Wᵀ with x [tokens, in] and W [out, in] is `transposedRight`; its gradients are
/// dx = dy · W (`plain`) and dW = dyᵀ · x (`transposedLeft`, k = tokens).
public enum MatrixProduct {
  /// How the operands are stored.
  public enum Form: Sendable, CaseIterable {
    /// C = A · B with A [m, k], B [k, n].
    case plain
    /// C = A · Bᵀ with A [m, k], B [n, k].
    case transposedRight
    /// C = Aᵀ · B with A [k, m], B [k, n].
    case transposedLeft
  }

  /// Writes C [m, n] = A · B, or adds to it.
  ///
  /// - Parameters:
  ///   - a: A, stored as `form` says; rows are `aStride` floats apart (default: no gaps).
  ///   - b: B likewise.
  ///   - adding: Whether C's old values are kept and added to; otherwise they are not read.
  ///   - c: C; rows are `cStride` floats apart (default: n). Must not overlap A or B.
  ///   - precision: What the operands are rounded to before they are multiplied.
  ///
  /// The same thread count gives the same bits; another one may round differently.
  static func multiply(
    _ form: Form = .plain, _ a: UnsafePointer<Float>, aStride: Int? = nil,
    _ b: UnsafePointer<Float>, bStride: Int? = nil, m: Int, n: Int, k: Int, adding: Bool = false,
    into c: UnsafeMutablePointer<Float>, cStride: Int? = nil, precision: Precision = .current
  ) {
    guard m > 0, n > 0 else { return }
    let call = MatrixProductCall(
      form: form, a: a, aStride: max(1, aStride ?? (form == .transposedLeft ? m : k)), b: b,
      bStride: max(1, bStride ?? (form == .transposedRight ? k : n)), m: m, n: n, k: k,
      adding: adding, c: c, cStride: cStride ?? n,
      kernel: .kernel(precision, m: m, n: n, k: k))
    call.run(MatrixSplit(m: m, n: n, k: k, threads: Parallel.threadCount))
  }
}

/// The arguments of one `MatrixProduct.multiply`.
struct MatrixProductCall {
  let form: MatrixProduct.Form
  let a: UnsafePointer<Float>
  let aStride: Int
  let b: UnsafePointer<Float>
  let bStride: Int
  let m, n, k: Int
  let adding: Bool
  let c: UnsafeMutablePointer<Float>
  let cStride: Int
  /// What multiplies its pieces.
  let kernel: ProductKernel

  func run(_ split: MatrixSplit) {
    if split.depth > 1 { return runDeep(split.depth) }
    Parallel.forEach(split.rows * split.columns) { piece in
      let rows = MatrixSplit.range(m, piece / split.columns, of: split.rows)
      let columns = MatrixSplit.range(n, piece % split.columns, of: split.columns)
      multiply(
        rows: rows, columns: columns, depth: 0..<k, adding: adding,
        into: c + rows.lowerBound * cStride + columns.lowerBound, stride: cStride)
    }
  }

  /// Sums over parts of k, each in its own copy of C, then their sum in a fixed order.
  private func runDeep(_ depth: Int) {
    withScratch(depth * m * n) { partial in
      Parallel.forEach(depth) { piece in
        multiply(
          rows: 0..<m, columns: 0..<n, depth: MatrixSplit.range(k, piece, of: depth),
          adding: false, into: partial + piece * m * n, stride: n)
      }
      let isa = Execution.isa
      Parallel.ranges(m, minimum: 1 + 65536 / (n * depth)) { rows in
        for r in rows {
          let target = c + r * cStride
          if !adding { target.update(from: partial + r * n, count: n) }
          for piece in (adding ? 0 : 1)..<depth {
            Vector.add(partial + (piece * m + r) * n, count: n, to: target, isa: isa)
          }
        }
      }
    }
  }

  private func multiply(
    rows: Range<Int>, columns: Range<Int>, depth: Range<Int>, adding: Bool,
    into target: UnsafeMutablePointer<Float>, stride: Int
  ) {
    let i = rows.lowerBound, j = columns.lowerBound, p = depth.lowerBound
    let left = form == .transposedLeft ? p * aStride + i : i * aStride + p
    let right = form == .transposedRight ? j * bStride + p : p * bStride + j
    Product.multiply(
      form, a + left, stride: aStride, b + right, stride: bStride, m: rows.count,
      n: columns.count, k: depth.count, adding: adding, into: target, stride: stride,
      by: kernel)
  }
}
