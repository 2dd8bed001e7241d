import Kernels

/// Keys and values of a softmax layer, in pages: one that is written around for the last W of them, as
/// many as it takes for all of them.
///
/// Copies share pages until one of them writes there, so that a text that goes on in several ways is kept
/// once. Rotary embeddings are applied before keys are stored, so the order of the slots does not matter.
public struct KeyValueCache: Sendable {
  /// Most keys a query can see, itself included; nil for full attention.
  let windowKeys: Int?
  /// Elements per key: kv heads · d.
  let width: Int
  /// Positions stored so far, from 0.
  private(set) var position = 0
  /// Position p lies in slot p mod `pageSlots` of page p / `pageSlots`, of a window always the first.
  private var pages: [Page] = []
  /// The heads that are coded each by itself; nil when keys and values stay float32.
  let codedHeads: Int?
  /// Sink tokens before position 0, which every token sees.
  private let sinkCount: Int
  /// Keys and values of the sinks, once they were read.
  private var sinks: (keys: FloatMatrix, values: FloatMatrix)?

  /// Slots of keys and of values. The first page of a text starts small.
  private final class Page: Sendable {
    let keys, values: CacheRows
    var slots: Int { keys.rows }
    var byteCount: Int { keys.byteCount + values.byteCount }

    init(keys: CacheRows, values: CacheRows) {
      self.keys = keys
      self.values = values
    }

    func resized(to slots: Int) -> Page {
      let kept = min(slots, self.slots)
      return Page(
        keys: keys.resized(to: slots, keeping: kept),
        values: values.resized(to: slots, keeping: kept))
    }
  }

  private static let firstSlots = 64
  /// Slots of a page of full attention.
  private static let usualSlots = 512

  private var pageSlots: Int { windowKeys ?? Self.usualSlots }

  init(windowKeys: Int?, width: Int, sinkCount: Int = 0, codedHeads: Int? = nil) {
    self.windowKeys = windowKeys
    self.width = width
    self.sinkCount = sinkCount
    self.codedHeads = codedHeads
    reserve(page: 0, slots: 1)
  }

  /// The keys still held: the last `held` positions before `position`.
  var held: Int { min(position, windowKeys ?? position) }

  /// Stored bytes.
  var byteCount: Int {
    pages.reduce(2 * (sinks?.keys.count ?? 0) * MemoryLayout<Float>.stride) { $0 + $1.byteCount }
  }

  /// Takes the keys and values of all sinks.
  mutating func setSinks(keys: FloatMatrix, values: FloatMatrix) { sinks = (keys, values) }

  /// What the next tokens may see: the sinks, and the held keys and values in order of position, in
  /// contiguous runs.
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
    var first = position - held
    while first < position {
      let (page, slot) = place(of: first)
      let count = min(position - first, pages[page].slots - slot)
      runs.append(
        Run(
          keys: pages[page].keys.values(from: slot, count: count),
          values: pages[page].values.values(from: slot, count: count), first: first))
      first += count
    }
    return runs
  }

  private func place(of position: Int) -> (page: Int, slot: Int) {
    (windowKeys == nil ? position / pageSlots : 0, position % pageSlots)
  }

  /// Appends the keys and values of the next tokens; of those only the last W are kept.
  mutating func append(keys newKeys: FloatMatrix, values newValues: FloatMatrix) {
    let count = newKeys.rows
    var source = count - min(count, windowKeys ?? count)
    while source < count {
      let (page, slot) = place(of: position + source)
      // Until a window is full nothing has wrapped, and slots are positions.
      reserve(page: page, slots: min(pageSlots, max(slot, held) + count - source))
      let run = min(count - source, pages[page].slots - slot)
      pages[page].keys.store(newKeys, from: source, in: slot, count: run)
      pages[page].values.store(newValues, from: source, in: slot, count: run)
      source += run
    }
    position += count
  }

  /// Makes sure that page `page` has `slots` slots, doubling them, and that no copy of the cache shares it.
  private mutating func reserve(page: Int, slots: Int) {
    if page == pages.count {
      func rows() -> CacheRows {
        CacheRows(
          rows: page == 0 ? min(Self.firstSlots, pageSlots) : pageSlots, width: width,
          heads: codedHeads)
      }
      pages.append(Page(keys: rows(), values: rows()))
    }
    let old = pages[page].slots
    var count = old
    while count < slots { count = min(2 * count, pageSlots) }
    if count > old || !isKnownUniquelyReferenced(&pages[page]) {
      pages[page] = pages[page].resized(to: count)
    }
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
