/// A binary heap of possible merges: the lowest rank first, then the leftmost position.
struct MergeQueue {
  struct Entry {
    var rank: Int32
    var position: Int32

    /// Rank and position as one number, ordered as entries are.
    @inline(__always) fileprivate var key: UInt64 {
      UInt64(UInt32(bitPattern: rank)) << 32 | UInt64(UInt32(bitPattern: position))
    }
  }

  private var heap: [UInt64] = []

  mutating func removeAll() { heap.removeAll(keepingCapacity: true) }

  mutating func push(_ entry: Entry) {
    heap.append(entry.key)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if heap[parent] <= heap[child] { return }
      heap.swapAt(parent, child)
      child = parent
    }
  }

  mutating func pop() -> Entry? {
    guard let top = heap.first, let last = heap.popLast() else { return nil }
    if !heap.isEmpty { sink(last) }
    return Entry(
      rank: Int32(bitPattern: UInt32(top >> 32)),
      position: Int32(bitPattern: UInt32(truncatingIfNeeded: top)))
  }

  /// Puts `key` in the place of the top and restores the order.
  private mutating func sink(_ key: UInt64) {
    var parent = 0
    while true {
      var child = 2 * parent + 1
      if child >= heap.count { break }
      if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
      if key <= heap[child] { break }
      heap[parent] = heap[child]
      parent = child
    }
    heap[parent] = key
  }
}
