/// Keys or values of a cache, a row per slot: float32, or codes with a factor per head.
public final class CacheRows: @unchecked Sendable {
  /// Slots.
  public let rows: Int
  /// Elements per row.
  private let width: Int
  private let storage: Storage

  private enum Storage {
    case floats(FloatMatrix)
    case codes(UnsafeMutablePointer<Int8>, factors: UnsafeMutablePointer<Float>, heads: Int)
  }

  /// Slots that are not yet set.
  ///
  /// - Parameter heads: the heads that are coded each by itself; nil for float32.
  public init(rows: Int, width: Int, heads: Int?) {
    self.rows = rows
    self.width = width
    if let heads {
      storage = .codes(
        .allocate(capacity: max(rows * width, 1)),
        factors: .allocate(capacity: max(rows * heads, 1)), heads: heads)
    } else {
      storage = .floats(FloatMatrix(rows: rows, columns: width))
    }
  }

  deinit {
    guard case .codes(let codes, let factors, _) = storage else { return }
    codes.deallocate()
    factors.deallocate()
  }

  /// Stored bytes.
  public var byteCount: Int {
    switch storage {
    case .floats: rows * width * MemoryLayout<Float>.stride
    case .codes(_, _, let heads): rows * (width + heads * MemoryLayout<Float>.stride)
    }
  }

  /// Stores `count` rows of `source` from `row` on in the slots from `slot` on.
  public func store(_ source: FloatMatrix, from row: Int, in slot: Int, count: Int) {
    switch storage {
    case .floats(let floats):
      withExtendedLifetime(source) {
        floats.row(slot).update(from: source.row(row), count: count * width)
      }
    case .codes(let codes, let factors, let heads):
      let dimension = width / heads
      withExtendedLifetime(source) {
        for head in 0..<count * heads {
          factors[slot * heads + head] = KeyValueCodes.encode(
            source.row(row) + head * dimension, count: dimension,
            into: codes + slot * width + head * dimension)
        }
      }
    }
  }

  /// The rows in the slots from `slot` on: in place, or decoded.
  public func values(from slot: Int, count: Int) -> FloatMatrix {
    switch storage {
    case .floats(let floats): return floats.rows(slot..<slot + count)
    case .codes(let codes, let factors, let heads):
      let dimension = width / heads, decoded = FloatMatrix(rows: count, columns: width)
      withExtendedLifetime((self, decoded)) {
        for head in 0..<count * heads {
          KeyValueCodes.decode(
            codes + slot * width + head * dimension, factor: factors[slot * heads + head],
            count: dimension, into: decoded.pointer + head * dimension)
        }
      }
      return decoded
    }
  }

  /// A copy with `rows` slots, of which the first `count` are these.
  public func resized(to rows: Int, keeping count: Int) -> CacheRows {
    switch storage {
    case .floats(let floats):
      let copy = CacheRows(rows: rows, width: width, heads: nil)
      copy.store(floats, from: 0, in: 0, count: count)
      return copy
    case .codes(let codes, let factors, let heads):
      let copy = CacheRows(rows: rows, width: width, heads: heads)
      guard case .codes(let newCodes, let newFactors, _) = copy.storage else { return copy }
      newCodes.update(from: codes, count: count * width)
      newFactors.update(from: factors, count: count * heads)
      return copy
    }
  }
}
