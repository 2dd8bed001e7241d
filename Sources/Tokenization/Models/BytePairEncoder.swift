/// Encodes words with a byte-pair model and remembers those it has seen.
///
/// The symbols of a word are a linked list; a heap gives the next merge, so a word of n scalars
/// takes n log n steps. Models without pre-tokenizer see a whole book as one word.
struct BytePairEncoder: WordEncoder {
  private let model: BytePairModel
  /// The id of each scalar that is a token by itself.
  private var cache: [ByteString: Range<Int>] = [:]
  private var cached: [Int] = []

  /// One symbol: its token, its neighbours (-1: none), and the rank at which it merges with the
  /// next one (-1: not at all; -2: the symbol is gone).
  private struct Symbol {
    var id: Int32
    var previous: Int32
    var next: Int32
    var rank: Int32 = -1
  }

  private var symbols: [Symbol] = []
  private var queue = MergeQueue()

  /// Longer words are rarely seen twice.
  private static let longestCachedWord = 64

  /// Positions in a word are 32-bit numbers; what is longer is encoded in parts.
  private static let longestWord = 1 << 30

  init(_ model: BytePairModel) { self.model = model }

  /// Appends the ids of the word `bytes[range]`.
  mutating func encode(_ bytes: [UInt8], _ range: Range<Int>, into ids: inout [Int]) {
    if range.count > Self.longestWord {
      let cut = bytes.scalarStart(
        before: range.lowerBound + Self.longestWord, start: range.lowerBound)
      encode(bytes, range.lowerBound..<cut, into: &ids)
      encode(bytes, cut..<range.upperBound, into: &ids)
      return
    }
    let word = ByteString(bytes[range])
    if let known = cache[word] {
      ids += cached[known]
      return
    }
    let start = ids.count
    if model.ignoresMerges, let id = model.vocabulary.id(of: word) {
      ids.append(id)
    } else {
      split(bytes, range)
      merge()
      var position: Int32 = symbols.isEmpty ? -1 : 0
      while position >= 0 {
        ids.append(Int(symbols[Int(position)].id))
        position = symbols[Int(position)].next
      }
    }
    if range.count <= Self.longestCachedWord {
      cache[word.detached] = cached.count..<cached.count + ids.count - start
      cached += ids[start...]
    }
  }

  /// Fills `symbols` with the tokens of single scalars.
  private mutating func split(_ bytes: [UInt8], _ range: Range<Int>) {
    symbols.removeAll(keepingCapacity: true)
    var unknown: Int?
    func flush(_ symbols: inout [Symbol]) {
      if let id = unknown { Self.append(id, to: &symbols) }
      unknown = nil
    }
    var position = range.lowerBound
    while let read = bytes.scalar(at: position, end: range.upperBound) {
      let unit = position..<position + read.length
      position = unit.upperBound
      if let id = model.vocabulary.id(of: ByteString(bytes[unit])) {
        flush(&symbols)
        Self.append(id, to: &symbols)
      } else if let fallback = fallback(bytes[unit]) {
        // A pending unknown token stays pending and comes after these bytes: the order that
        // the reference library produces for vocabularies with some byte tokens missing.
        for id in fallback { Self.append(id, to: &symbols) }
      } else if let id = model.unknown {
        if !model.fusesUnknown { flush(&symbols) }
        unknown = id
      }
    }
    flush(&symbols)
    if !symbols.isEmpty { symbols[symbols.count - 1].next = -1 }
  }

  private func fallback(_ unit: ArraySlice<UInt8>) -> [Int]? {
    guard let table = model.byteIDs else { return nil }
    let ids = unit.compactMap { table[Int($0)] }
    return ids.count == unit.count ? ids : nil
  }

  private static func append(_ id: Int, to symbols: inout [Symbol]) {
    let position = Int32(truncatingIfNeeded: symbols.count)
    symbols.append(
      Symbol(id: Int32(truncatingIfNeeded: id), previous: position - 1, next: position + 1))
  }

  private mutating func merge() {
    queue.removeAll()
    for position in symbols.indices { rank(position) }
    while let best = queue.pop() {
      let left = Int(best.position)
      guard symbols[left].rank == best.rank else { continue }
      let right = Int(symbols[left].next)
      guard
        let merge = model.merges[Int(symbols[left].id), Int(symbols[right].id)]
      else { continue }
      symbols[left].id = Int32(truncatingIfNeeded: merge.id)
      symbols[left].next = symbols[right].next
      symbols[right].rank = -2
      if symbols[left].next >= 0 {
        symbols[Int(symbols[left].next)].previous = best.position
      }
      rank(left)
      if symbols[left].previous >= 0 { rank(Int(symbols[left].previous)) }
    }
  }

  /// Looks up the merge of a symbol with the next one and queues it.
  private mutating func rank(_ position: Int) {
    let next = symbols[position].next
    guard next >= 0,
      let merge = model.merges[Int(symbols[position].id), Int(symbols[Int(next)].id)]
    else {
      symbols[position].rank = -1
      return
    }
    let rank = Int32(truncatingIfNeeded: merge.rank)
    if symbols[position].rank != rank {
      symbols[position].rank = rank
    }
    queue.push(.init(rank: rank, position: Int32(truncatingIfNeeded: position)))
  }
}
