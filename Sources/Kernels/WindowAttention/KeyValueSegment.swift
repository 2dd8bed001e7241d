/// Keys and values of consecutive positions, contiguous in memory.
///
/// A ring buffer gives up to two segments of old tokens; the new tokens are a third.
public struct KeyValueSegment {
  /// k [count, kvHeads, keyDimension].
  let keys: UnsafePointer<Float>
  /// v [count, kvHeads, valueDimension].
  let values: UnsafePointer<Float>
  /// What the keys and values lie in, kept alive; nil when the caller does that.
  private var owners: (keys: FloatMatrix, values: FloatMatrix)?
  /// The position of the first key.
  public var firstPosition: Int
  /// Positions in the segment.
  public var count: Int
  /// Whether every query sees all of it, whatever its position: sink tokens.
  public var isAlwaysVisible: Bool

  /// A segment of `count` positions from `firstPosition` on.
  init(
    keys: UnsafePointer<Float>, values: UnsafePointer<Float>, firstPosition: Int, count: Int,
    isAlwaysVisible: Bool = false
  ) {
    self.keys = keys
    self.values = values
    self.firstPosition = firstPosition
    self.count = count
    self.isAlwaysVisible = isAlwaysVisible
  }

  /// The rows of `keys` [count, kvHeads · keyDimension] and `values` [count, kvHeads · valueDimension],
  /// at positions from `firstPosition` on.
  public init(
    keys: FloatMatrix, values: FloatMatrix, firstPosition: Int, isAlwaysVisible: Bool = false
  ) {
    precondition(keys.rows == values.rows)
    self.init(
      keys: keys.pointer, values: values.pointer, firstPosition: firstPosition, count: keys.rows,
      isAlwaysVisible: isAlwaysVisible)
    owners = (keys, values)
  }

  /// Whether keys and values are as wide as `layout` says, where that is known.
  func fits(_ layout: HeadLayout) -> Bool {
    owners.map {
      $0.keys.columns == layout.keyWidth && $0.values.columns == layout.valueWidth
    } ?? true
  }

  /// The keys and values of a whole text: its first `sinks` tokens, which every token sees, and the
  /// others. A sink comes before the others, so it sees the sinks only.
  static func text(
    keys: UnsafePointer<Float>, values: UnsafePointer<Float>, tokens: Int, sinks: Int,
    layout: HeadLayout
  ) -> [KeyValueSegment] {
    let others = KeyValueSegment(
      keys: keys + sinks * layout.keyWidth, values: values + sinks * layout.valueWidth,
      firstPosition: sinks, count: tokens - sinks)
    guard sinks > 0 else { return [others] }
    let first = KeyValueSegment(
      keys: keys, values: values, firstPosition: 0, count: sinks, isAlwaysVisible: true)
    return [first, others]
  }

  /// The keys of this segment a query at `position` sees, as indices into the segment.
  ///
  /// Visible: key position <= position and > position - window.
  func visible(from position: Int, window: Int) -> Range<Int> {
    visible(from: position...position, window: window)
  }

  /// The keys that any of the queries at `positions` sees.
  func visible(from positions: ClosedRange<Int>, window: Int) -> Range<Int> {
    if isAlwaysVisible { return 0..<count }
    let newest = min(count, positions.upperBound - firstPosition + 1)
    let first = positions.lowerBound
    // No subtraction for windows as large as Int.max.
    let oldest = window > first ? 0 : max(0, first - window + 1 - firstPosition)
    return oldest < newest ? oldest..<newest : 0..<0
  }

  /// The columns of a tile of scores that each query sees, `group` rows per position: row r sees
  /// keys tile.lowerBound + low[r]..<high[r].
  func setColumns(
    of tile: Range<Int>, from positions: ClosedRange<Int>, window: Int, group: Int,
    low: inout [Int32], high: inout [Int32]
  ) {
    for (index, position) in positions.enumerated() {
      let visible = visible(from: position, window: window).clamped(to: tile)
      for row in index * group..<(index + 1) * group {
        low[row] = Int32(visible.lowerBound - tile.lowerBound)
        high[row] = Int32(visible.upperBound - tile.lowerBound)
      }
    }
  }
}
