/// A text and the pieces it has been split into so far.
struct Pieces {
  private(set) var bytes: [UInt8]
  private(set) var ranges: [Range<Int>]
  /// Whether the first piece starts where the whole input does.
  private(set) var startsInput: Bool

  init(_ bytes: [UInt8], startsInput: Bool) {
    self.bytes = bytes
    self.ranges = bytes.isEmpty ? [] : [bytes.indices]
    self.startsInput = startsInput
  }

  /// Splits every piece; `split` appends the parts of one piece, and empty parts are dropped.
  mutating func refine(_ split: (_ piece: Range<Int>, _ parts: inout [Range<Int>]) -> Void) {
    let start = ranges.first?.lowerBound
    var refined: [Range<Int>] = []
    refined.reserveCapacity(ranges.count)
    for range in ranges { split(range, &refined) }
    refined.removeAll(where: \.isEmpty)
    ranges = refined
    startsInput = startsInput && ranges.first?.lowerBound == start
  }

  /// Replaces the text of every piece; `rewrite` appends the new text of one piece.
  mutating func rewrite(
    _ rewrite: (_ piece: Range<Int>, _ isStart: Bool, _ text: inout [UInt8]) -> Void
  ) {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count + bytes.count / 4)
    for index in ranges.indices {
      let start = text.count
      rewrite(ranges[index], startsInput && index == 0, &text)
      ranges[index] = start..<text.count
    }
    bytes = text
  }
}
