import Foundations
package import Runtime
import Synchronization

/// What was read of texts, so that a text that begins alike goes on from there.
///
/// A state is found by the tokens it has read, all of them, and by its scope: what one API key had
/// read, no other goes on from. States that have not been used longest make room for others: they are
/// written to files where there is a directory for them, and are dropped otherwise.
package final class StateStore: Sendable {
  /// The scope where there are no API keys.
  package static let openScope = "open"

  /// What it may use.
  package struct Limits: Sendable {
    /// Bytes of states in memory. Pages that several states share count for each.
    package var memory = 1 << 30
    /// Bytes of states in files.
    package var disk = 4 << 30

    package init() {}
  }

  struct Entry {
    let scope: String
    let tokens: [Int32]
    /// The state, where it is in memory.
    var state: DecodingState?
    /// The file, where it is in one.
    var file: StoredState?
    /// When it was used last.
    var used = 0

    var memory: Int { (state?.byteCount ?? 0) + (state == nil ? 0 : 4 * tokens.count) }
  }

  private struct Content {
    var entries: [Entry] = []
    var clock = 0
    var memory: Int { entries.reduce(0) { $0 + $1.memory } }
    var disk: Int { entries.reduce(0) { $0 + ($1.file?.bytes ?? 0) } }
  }

  private let content = Mutex(Content())
  private let limits: Limits
  private let files: StateDirectory?

  /// A store that begins with what `files` holds.
  package init(limits: Limits = Limits(), files: StateDirectory? = nil) throws {
    self.limits = limits
    self.files = files
    let found = try files?.entries() ?? []
    content.withLock { content in
      content.entries = found
      content.clock = found.count
      for index in found.indices { content.entries[index].used = index }
    }
  }

  /// The longest state of this scope that has read a beginning of `tokens`, with how much of it.
  package func find(_ tokens: [Int], scope: String) -> (count: Int, state: DecodingState)? {
    content.withLock { content in
      while let index = content.entries.longest(of: tokens, scope: scope) {
        content.clock += 1
        content.entries[index].used = content.clock
        let count = content.entries[index].tokens.count
        if let state = content.entries[index].state { return (count, state) }
        if let file = content.entries[index].file, let state = try? files?.read(file),
          state.position == count
        {
          content.entries[index].state = state
          evict(from: &content)
          return (count, state)
        }
        // Its file was changed or is gone.
        content.entries.remove(at: index)
      }
      return nil
    }
  }

  /// Keeps the state after `tokens`.
  package func insert(_ state: DecodingState, after tokens: ArraySlice<Int>, scope: String) {
    content.withLock { content in
      content.clock += 1
      let same = content.entries.firstIndex {
        $0.scope == scope && $0.tokens.count == tokens.count
          && zip($0.tokens, tokens).allSatisfy { Int($0) == $1 }
      }
      if let same {
        content.entries[same].used = content.clock
        if content.entries[same].state == nil { content.entries[same].state = state }
      } else {
        content.entries.append(
          Entry(
            scope: scope, tokens: tokens.map(Int32.init(truncatingIfNeeded:)), state: state,
            used: content.clock))
      }
      evict(from: &content)
    }
  }

  /// Writes what is only in memory to files, if there is a place for them.
  package func persist() {
    guard files != nil else { return }
    content.withLock { content in
      for index in content.entries.indices { write(&content.entries[index]) }
      evict(from: &content)
    }
  }

  /// What is held now.
  package var figures: (states: Int, memory: Int, disk: Int) {
    content.withLock { ($0.entries.count, $0.memory, $0.disk) }
  }

  private func evict(from content: inout Content) {
    var memory = content.memory
    while memory > limits.memory,
      let index = content.entries.oldest(where: { $0.state != nil })
    {
      memory -= content.entries[index].memory
      write(&content.entries[index])
      content.entries[index].state = nil
      if content.entries[index].file == nil { content.entries.remove(at: index) }
    }
    var disk = content.disk
    while disk > limits.disk, let index = content.entries.oldest(where: { $0.file != nil }) {
      if let file = content.entries[index].file {
        disk -= file.bytes
        files?.remove(file)
      }
      content.entries[index].file = nil
      if content.entries[index].state == nil { content.entries.remove(at: index) }
    }
  }

  /// Gives an entry a file. A full disk costs what could be read again.
  private func write(_ entry: inout Entry) {
    guard entry.file == nil, let state = entry.state else { return }
    entry.file = try? files?.write(state, tokens: entry.tokens, scope: entry.scope)
  }
}

extension [StateStore.Entry] {
  fileprivate func oldest(where condition: (Element) -> Bool) -> Int? {
    indices.filter { condition(self[$0]) }.min { self[$0].used < self[$1].used }
  }

  /// The longest entry whose tokens `tokens` begins with.
  fileprivate func longest(of tokens: [Int], scope: String) -> Int? {
    indices.filter { index in
      let entry = self[index]
      return entry.scope == scope && entry.tokens.count <= tokens.count
        && zip(entry.tokens, tokens).allSatisfy { Int($0) == $1 }
    }.max { self[$0].tokens.count < self[$1].tokens.count }
  }
}
