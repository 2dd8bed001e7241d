/// Passes a text on until one of some stops appears in it.
///
/// What may be the beginning of a stop is held back until that is decided.
struct StopMatcher {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []
  /// Whether a stop was found.
  private(set) var hasStopped = false

  init(_ stops: [String]) { self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty } }

  /// The part of the text so far that can be told now.
  mutating func append(_ text: String) -> String {
    guard !hasStopped else { return "" }
    guard !stops.isEmpty else { return text }
    held += Array(text.utf8)
    if let start = stops.compactMap({ held.firstIndex(of: $0) }).min() {
      hasStopped = true
      return take(start)
    }
    return take(held.count - unfinished)
  }

  /// What was held back, once nothing more comes.
  mutating func finish() -> String { hasStopped ? "" : take(held.count) }

  /// Bytes at the end that are a stop's beginning.
  private var unfinished: Int {
    let longest = stops.map(\.count).max() ?? 0
    for count in stride(from: min(held.count, longest - 1), to: 0, by: -1)
    where stops.contains(where: { $0.starts(with: held.suffix(count)) }) {
      return count
    }
    return 0
  }

  private mutating func take(_ count: Int) -> String {
    defer { held.removeFirst(count) }
    return String(decoding: held[..<count], as: UTF8.self)
  }
}

extension [UInt8] {
  /// Where `part` first begins; nil when it is not there.
  fileprivate func firstIndex(of part: [UInt8]) -> Int? {
    guard count >= part.count else { return nil }
    return (0...count - part.count).first { self[$0..<$0 + part.count].elementsEqual(part) }
  }
}
