package import StrictJSON

/// What keys mean that no architecture asks for: data, so that knowing one more is one more line.
package struct KeyTable: Sendable {
  /// Keys that change no logits, by the reason.
  package var harmless: [String: Set<String>]
  /// Keys that change what some models compute, with the values at which they do not; `null` is always
  /// one of these.
  package var decisive: [String: [JSONValue]]
  /// Keys that change nothing here, but of which the user is told.
  package var told: [String: String] = [:]

  /// A table.
  package init(
    harmless: [String: Set<String>], decisive: [String: [JSONValue]], told: [String: String] = [:]
  ) {
    self.harmless = harmless
    self.decisive = decisive
    self.told = told
  }

  /// What to tell of the keys that are left over; throws at the first whose value would change what the
  /// model computes.
  ///
  /// - Parameter rest: keys that nobody asked for with their values, in the order of `file`.
  package func notes(
    on rest: [(key: String, value: JSONValue)], file: String
  ) throws(ConfigurationError) -> [String] {
    let shortName = file.split(separator: "/").last.map(String.init) ?? file
    var notes: [String] = [], unknown: [String] = []
    for (key, value) in rest where !value.isNull {
      if let neutral = decisive[key] {
        guard neutral.contains(where: { $0.isSame(as: value) }) else {
          throw .unsupported(
            key: key, value: String(value.compact.prefix(60)),
            reason: "it changes what a model computes, and is not implemented", file: file)
        }
      } else if let note = told[key] {
        notes.append("\(shortName): \(key) \(note)")
      } else if !harmless.values.contains(where: { $0.contains(key) }) {
        unknown.append(key)
      }
    }
    guard !unknown.isEmpty else { return notes }
    let shown = 12
    let list =
      unknown.prefix(shown).joined(separator: ", ")
      + (unknown.count > shown ? " and \(unknown.count - shown) more" : "")
    return notes + [
      "\(shortName) holds keys that this program does not know and does not use: \(list)."
    ]
  }
}

extension JSONValue {
  /// Whether this says the same: numbers by value, everything else as it is written.
  fileprivate func isSame(as other: JSONValue) -> Bool {
    if let left = double, let right = other.double { return left == right }
    return self == other
  }
}
