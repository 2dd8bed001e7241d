import Kernels

/// Keys and values of a softmax layer: all of them, or a ring of the last W.
///
/// Rotary embeddings are applied before keys are stored, so the order of the slots does not matter;
/// position p lies in slot p mod capacity once the ring is full-sized.
public struct KeyValueCache: Sendable {
  /// Most keys a query can see, itself included; nil for full attention.
  let windowKeys: Int?
  /// Elements per key: kv heads · d.
  let width: Int
  /// Positions stored so far, from 0.
  private(set) var position = 0
  private var keys: CacheRows
  private var values: CacheRows
  /// The heads that are coded each by itself; nil when keys and values stay float32.
  let codedHeads: Int?
  /// Sink tokens before position 0, which every token sees.
  private let sinkCount: Int
  /// Keys and values of the sinks, once they were read.
  private var sinks: (keys: FloatMatrix, values: FloatMatrix)?

  private static let firstCapacity = 64

  init(windowKeys: Int?, width: Int, sinkCount: Int = 0, codedHeads: Int? = nil) {
    self.windowKeys = windowKeys
    self.width = width
    self.sinkCount = sinkCount
    self.codedHeads = codedHeads
    let capacity = min(KeyValueCache.firstCapacity, windowKeys ?? .max)
    keys = CacheRows(rows: capacity, width: width, heads: codedHeads)
    values = CacheRows(rows: capacity, width: width, heads: codedHeads)
  }

  /// The keys still held: the last `held` positions before `position`.
  var held: Int { min(position, windowKeys ?? position) }

  /// Stored bytes.
  var byteCount: Int {
    2 * (keys.byteCount + (sinks?.keys.count ?? 0) * MemoryLayout<Float>.stride)
  }

  /// Takes the keys and values of all sinks.
  mutating func setSinks(keys: FloatMatrix, values: FloatMatrix) { sinks = (keys, values) }

  /// What the next tokens may see: the sinks, and the held keys and values in order of position as one
  /// or two contiguous runs.
  var segments: [KeyValueSegment] {
    runs.map {
      KeyValueSegment(
        keys: $0.keys, values: $0.values, firstPosition: $0.first, isAlwaysVisible: $0.areSinks)
    }
  }

  /// Keys and values of consecutive positions.
  private struct Run {
    var keys: FloatMatrix
    var values: FloatMatrix
    var first: Int
    var areSinks = false
  }

  private var runs: [Run] {
    var runs: [Run] = []
    if let sinks {
      runs.append(Run(keys: sinks.keys, values: sinks.values, first: 0, areSinks: true))
    }
    func append(slot: Int, first: Int, count: Int) {
      guard count > 0 else { return }
      runs.append(
        Run(
          keys: keys.values(from: slot, count: count),
          values: values.values(from: slot, count: count), first: first))
    }
    let first = position - held, slot = first % keys.rows
    let run = min(held, keys.rows - slot)
    append(slot: slot, first: first, count: run)
    append(slot: 0, first: first + run, count: held - run)
    return runs
  }

  /// Appends the keys and values of the next tokens; of those only the last W are kept.
  mutating func append(keys newKeys: FloatMatrix, values newValues: FloatMatrix) {
    let count = newKeys.rows
    reserve(position + count)
    // Copies of the cache share its buffers until one of them is written.
    if !isKnownUniquelyReferenced(&keys) { keys = resized(keys, keys.rows) }
    if !isKnownUniquelyReferenced(&values) { values = resized(values, values.rows) }
    let kept = min(count, windowKeys ?? count)
    var source = count - kept
    while source < count {
      let slot = (position + source) % keys.rows
      let run = min(count - source, keys.rows - slot)
      keys.store(newKeys, from: source, in: slot, count: run)
      values.store(newValues, from: source, in: slot, count: run)
      source += run
    }
    position += count
  }

  /// Grows the buffers by doubling up to the window, so that short texts stay cheap.
  ///
  /// Until a ring reaches its window nothing has wrapped, and slots are positions.
  private mutating func reserve(_ needed: Int) {
    let wanted = min(needed, windowKeys ?? needed)
    guard wanted > keys.rows else { return }
    var capacity = keys.rows
    while capacity < wanted { capacity *= 2 }
    capacity = min(capacity, windowKeys ?? capacity)
    keys = resized(keys, capacity)
    values = resized(values, capacity)
  }

  private func resized(_ old: CacheRows, _ capacity: Int) -> CacheRows {
    old.resized(to: capacity, keeping: min(held, old.rows))
  }

  /// The keys of the sinks and the held keys, then the values, in order of position:
  /// 2 · (sinks + held) · width numbers.
  var saved: [Float] {
    let runs = runs
    return runs.flatMap(\.keys.values) + runs.flatMap(\.values.values)
  }

  /// How many numbers `saved` has at `position`: sinks are read with the first token.
  func savedCount(position: Int) -> Int {
    2 * (min(position, windowKeys ?? position) + (position > 0 ? sinkCount : 0)) * width
  }

  /// Puts back what `saved` returned at `position`; false when the numbers do not fit.
  mutating func restore(_ saved: [Float], position: Int) -> Bool {
    let held = min(position, windowKeys ?? position), sinkCount = sinkCount
    guard position >= 0, saved.count == savedCount(position: position) else { return false }
    self = KeyValueCache(
      windowKeys: windowKeys, width: width, sinkCount: sinkCount, codedHeads: codedHeads)
    guard held > 0 else { return true }
    self.position = position - held
    reserve(position)
    let rows = FloatMatrix(saved, rows: 2 * (sinkCount + held))
    let newKeys = rows.rows(0..<sinkCount + held)
    let newValues = rows.rows(sinkCount + held..<rows.rows)
    if sinkCount > 0 {
      setSinks(keys: newKeys.rows(0..<sinkCount), values: newValues.rows(0..<sinkCount))
    }
    append(
      keys: newKeys.rows(sinkCount..<sinkCount + held),
      values: newValues.rows(sinkCount..<sinkCount + held))
    return true
  }
}
