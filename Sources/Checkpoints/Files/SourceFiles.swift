import Glibc
import StrictJSON
import Synchronization

/// Which version of each file this process has read, so that what was made from files that changed
/// meanwhile never gets the name of an output.
///
/// Readers say what they open: `MappedFile` does for all that are mapped. A file is compared with
/// what it was when it was last opened, or first, as long as somebody still reads it.
package enum SourceFiles {
  private struct Entry {
    var identity: FileIdentity
    var readers = 0
  }

  private static let entries = Mutex<[ExactKey: Entry]>([:])

  /// Says that the file at `path` is being read whole, now.
  package static func note(_ path: String) {
    guard let identity = FileIdentity(path: path) else { return }
    open(path, identity)
    close(path)
  }

  static func open(_ path: String, _ identity: FileIdentity) {
    entries.withLock { entries in
      var entry = entries[ExactKey(text: path)] ?? Entry(identity: identity)
      if entry.readers == 0 { entry.identity = identity }
      entry.readers += 1
      entries[ExactKey(text: path)] = entry
    }
  }

  static func close(_ path: String) {
    entries.withLock { $0[ExactKey(text: path)]?.readers -= 1 }
  }

  /// Throws when a file that was read is another one now: one of `inputs`, or one that lies in a
  /// directory among them.
  package static func requireUnchanged(_ inputs: [String]) throws(CheckpointError) {
    let named = Set(inputs.map { ExactKey(text: trimmed($0)) })
    let changed = entries.withLock { entries in
      entries.filter { path, entry in
        (named.contains(path) || named.contains(directory(of: path)))
          && FileIdentity(path: path.text) != entry.identity
      }
    }
    if let first = changed.keys.map(\.text).min() { throw .changedWhileRead(file: first) }
  }

  /// `inputs` and the files that were read from the directories among them.
  static func all(_ inputs: [String]) -> [String] {
    let named = Set(inputs.map { ExactKey(text: trimmed($0)) })
    return inputs
      + entries.withLock { entries in
        entries.keys.filter { named.contains(directory(of: $0)) }.map(\.text)
      }
  }

  private static func directory(of path: ExactKey) -> ExactKey {
    ExactKey(text: trimmed(RelativeName.directory(path.text)))
  }

  private static func trimmed(_ path: String) -> String {
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    return path
  }
}
