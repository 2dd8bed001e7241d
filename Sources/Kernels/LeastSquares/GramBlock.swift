import CKernels

/// Some rows on their way into a `Gram`.
struct GramBlock {
  let phi: UnsafePointer<Float>
  let stride: Int
  let y: UnsafePointer<Float>
  let targetStride: Int
  let weights: UnsafePointer<Float>?
  let rows, features, targets: Int

  /// G += Φᵀ diag(ω) Φ (upper triangle), C += Yᵀ diag(ω) Φ.
  func add(matrix: UnsafeMutablePointer<Double>, cross: UnsafeMutablePointer<Double>) {
    guard let weights else { return add(right: phi, stride, matrix: matrix, cross: cross) }
    let isa = Execution.isa
    withScratch(rows * features) { scaled in
      Parallel.ranges(rows, minimum: 1 + 65536 / max(1, features)) { range in
        for r in range {
          let row = scaled + r * features
          row.update(repeating: 0, count: features)
          Vector.addScaled(phi + r * stride, by: weights[r], count: features, to: row, isa: isa)
        }
      }
      add(right: scaled, features, matrix: matrix, cross: cross)
    }
  }

  /// sum ω |y|², rows in order.
  func targetSquares() -> Double {
    let isa = Execution.isa
    return (0..<rows).reduce(0) { sum, r in
      sum + Double(weights?[r] ?? 1) * ck_sum_squares(isa, y + r * targetStride, targets)
    }
  }

  private func add(
    right: UnsafePointer<Float>, _ rightStride: Int, matrix: UnsafeMutablePointer<Double>,
    cross: UnsafeMutablePointer<Double>
  ) {
    let across = Tiles(features), down = Tiles(targets)
    let upper = (0..<across.count).flatMap { i in (i..<across.count).map { (i, $0) } }
    Parallel.forEach(upper.count + down.count * across.count) { index in
      if index < upper.count {
        let (i, j) = upper[index]
        addTile(
          phi, stride, across[i], right, rightStride, across[j], to: matrix)
      } else {
        let tile = index - upper.count
        addTile(
          y, targetStride, down[tile / across.count], right, rightStride,
          across[tile % across.count], to: cross)
      }
    }
  }

  /// One tile of leftᵀ · right, added in float64.
  private func addTile(
    _ left: UnsafePointer<Float>, _ leftStride: Int, _ down: Range<Int>,
    _ right: UnsafePointer<Float>, _ rightStride: Int, _ across: Range<Int>,
    to sums: UnsafeMutablePointer<Double>
  ) {
    withScratch(down.count * across.count) { tile in
      Product.multiply(
        .transposedLeft, left + down.lowerBound, stride: leftStride, right + across.lowerBound,
        stride: rightStride, m: down.count, n: across.count, k: rows, adding: false, into: tile,
        stride: across.count)
      let isa = Execution.isa
      for (r, row) in down.enumerated() {
        ck_add_to_doubles(
          isa, tile + r * across.count, sums + row * features + across.lowerBound, across.count)
      }
    }
  }

  /// `0..<total` in nearly equal ranges of at most `Gram.tileSide`, cut at multiples of 16.
  private struct Tiles {
    let total, count: Int
    init(_ total: Int) {
      self.total = total
      count = (total + Gram.tileSide - 1) / Gram.tileSide
    }
    subscript(index: Int) -> Range<Int> { MatrixSplit.range(total, index, of: count) }
  }
}
