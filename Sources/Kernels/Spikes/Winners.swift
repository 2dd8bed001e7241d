/// k winners: of a row of activations those with the largest magnitudes stay, the others become 0.
///
/// Of equal magnitudes the first ones stay. NaN ranks above infinity, so that a fault is not hidden.
public enum Winners {
  /// Keeps `count` channels of every row.
  ///
  /// - Parameters:
  ///   - x: [rows, columns].
  ///   - count: 1 to `columns`.
  ///   - output: [rows, columns]; may be `x`.
  static func apply(
    _ x: UnsafePointer<Float>, rows: Int, columns: Int, count: Int,
    into output: UnsafeMutablePointer<Float>
  ) {
    precondition((1...max(columns, 1)).contains(count), "there are \(columns) channels")
    guard columns > 0 else { return }
    Parallel.ranges(rows, minimum: max(1, 65_536 / columns)) { rows in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: bins) { histogram in
        for row in rows {
          keep(count, of: x + row * columns, columns, into: output + row * columns, histogram)
        }
      }
    }
  }

  /// Values of the eleven bits that the first pass counts.
  private static let bins = 1 << 11

  /// Numbers in the order of magnitudes.
  private static func key(_ value: Float) -> UInt32 { value.bitPattern & 0x7fff_ffff }

  /// The channels of one row that stay, ascending.
  ///
  /// - Parameter count: 1 to the row's length.
  public static func indices(_ x: UnsafeBufferPointer<Float>, count: Int) -> [Int] {
    guard let row = x.baseAddress, !x.isEmpty else { return [] }
    precondition((1...x.count).contains(count), "there are \(x.count) channels")
    return withUnsafeTemporaryAllocation(of: Int32.self, capacity: bins) { histogram in
      var selection = Selection(count, of: row, x.count, histogram)
      return x.indices.filter { selection.takes(row[$0]) }
    }
  }

  private static func keep(
    _ count: Int, of x: UnsafePointer<Float>, _ columns: Int,
    into output: UnsafeMutablePointer<Float>, _ histogram: UnsafeMutableBufferPointer<Int32>
  ) {
    var selection = Selection(count, of: x, columns, histogram)
    for channel in 0..<columns {
      output[channel] = selection.takes(x[channel]) ? x[channel] : 0
    }
  }

  /// Who stays of one row, asked in the order of its channels.
  private struct Selection {
    /// The key of the last winner.
    private var last: UInt32 = 0
    /// How many of its equals still stay.
    private var left: Int32

    /// Finds the key eleven bits first, then ten and ten.
    init(
      _ count: Int, of x: UnsafePointer<Float>, _ columns: Int,
      _ histogram: UnsafeMutableBufferPointer<Int32>
    ) {
      left = Int32(count)
      for shift: UInt32 in [20, 10, 0] {
        histogram.update(repeating: 0)
        let end = shift == 20 ? 31 : shift + 10
        for channel in 0..<columns {
          let key = key(x[channel])
          if key >> end == last >> end {
            histogram[Int((key & ((1 << end) - 1)) >> shift)] += 1
          }
        }
        var bin = (1 << Int(end - shift)) - 1
        while histogram[bin] < left {
          left -= histogram[bin]
          bin -= 1
        }
        last |= UInt32(bin) << shift
      }
    }

    mutating func takes(_ value: Float) -> Bool {
      let key = key(value)
      if key != last { return key > last }
      left -= 1
      return left >= 0
    }
  }
}
