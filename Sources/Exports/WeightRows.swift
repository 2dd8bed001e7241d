import Kernels
import TensorTypes

/// A matrix of floating-point weights, its rows made when they are asked for.
enum WeightRows: Sendable {
  /// One that a file holds under `name`.
  case stored(TensorView, name: String)
  /// high · low, the two matrices of a decay gate multiplied out: summed in float64, rounded once.
  case product(high: TensorView, low: TensorView, names: [String])

  /// Outputs.
  var rows: Int {
    switch self {
    case .stored(let view, _), .product(let view, _, _): view.rows
    }
  }

  /// Inputs.
  var columns: Int {
    switch self {
    case .stored(let view, _), .product(_, let view, _): view.columns
    }
  }

  /// The names of the tensors in their files.
  var names: [String] {
    switch self {
    case .stored(_, let name): [name]
    case .product(_, _, let names): names
    }
  }

  /// Writes rows as float32 [rows.count, columns].
  func decode(_ rows: Range<Int>, into output: UnsafeMutablePointer<Float>) {
    switch self {
    case .stored(let view, _):
      RowDecoder.decode(view, rows: rows, into: output)
      if view.rowOrder == .stored { view.slice(rows: rows).discard() }
    case .product(let high, let low, _):
      let rank = low.rows, columns = low.columns
      var left = [Float](repeating: 0, count: rank)
      var right = [Float](repeating: 0, count: rank * columns)
      var sums = [Double](repeating: 0, count: columns)
      RowDecoder.decode(low, rows: 0..<rank, into: &right)
      for (index, row) in rows.enumerated() {
        RowDecoder.decode(high, rows: row..<row + 1, into: &left)
        for column in 0..<columns { sums[column] = 0 }
        for r in 0..<rank {
          let factor = Double(left[r])
          for column in 0..<columns { sums[column] += factor * Double(right[r * columns + column]) }
        }
        for column in 0..<columns { output[index * columns + column] = Float(sums[column]) }
      }
    }
  }
}
