import Synchronization

/// Which keys of a configuration or of metadata were asked for, and what is to be told of them.
///
/// A class, because reading a value changes nothing else: whoever is asked for a key knows it from then
/// on, and what nobody asked for is left over.
package final class KeyRecord: Sendable {
  private struct State {
    var asked: Set<String> = []
    var notes: [String] = []
  }

  private let state = Mutex(State())
  /// Whose sentences are told: those of an object belong to the whole file.
  private let whole: KeyRecord?

  /// Nothing was asked for yet.
  ///
  /// - Parameter whole: the record of the file that this one is of a part of.
  package init(partOf whole: KeyRecord? = nil) { self.whole = whole }

  /// Makes `key` a known key.
  package func ask(_ key: String) { state.withLock { _ = $0.asked.insert(key) } }

  /// Whether somebody asked for `key`.
  package func wasAsked(_ key: String) -> Bool { state.withLock { $0.asked.contains(key) } }

  /// Keeps a sentence for the user, once.
  package func note(_ text: String) {
    if let whole { return whole.note(text) }
    state.withLock { if !$0.notes.contains(text) { $0.notes.append(text) } }
  }

  /// The sentences for the user.
  package var notes: [String] { state.withLock { $0.notes } }
}
