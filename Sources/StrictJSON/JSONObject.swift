/// An object's members in order of appearance, with access by key.
///
/// Keys are compared by their UTF-8 bytes. Swift's own comparison of strings treats canonically
/// equivalent texts ("é" in one scalar or two) as equal, and a vocabulary may hold both.
public struct JSONObject: Sendable, Hashable {
  private var entries: [Entry] = []
  private var positions: [ExactKey: Int] = [:]

  /// An empty object.
  public init() {}

  /// An object of the given members, in that order; a repeated key keeps its last value.
  public init(_ members: [(String, JSONValue)]) {
    for (key, value) in members { self[key] = value }
  }

  /// The same, when all values are strings.
  public init(strings members: [(key: String, value: String)]) {
    self.init(members.map { ($0.key, .string($0.value)) })
  }

  /// This object with the members of `other`, which count where both have a key.
  public func merging(_ other: JSONObject) -> JSONObject {
    var object = self
    for (key, value) in other.members { object[key] = value }
    return object
  }

  /// The value of `key`. Setting a new key appends it; setting nil removes it.
  public subscript(key: String) -> JSONValue? {
    get { positions[ExactKey(text: key)].map { entries[$0].value } }
    set {
      let exact = ExactKey(text: key)
      switch (positions[exact], newValue) {
      case (let position?, let value?): entries[position].value = value
      case (nil, let value?): append(exact, value)
      case (let position?, nil): remove(at: position)
      case (nil, nil): break
      }
    }
  }

  /// Appends a member; false, changing nothing, if the key is already there.
  mutating func insert(_ key: String, _ value: JSONValue) -> Bool {
    let exact = ExactKey(text: key)
    guard positions[exact] == nil else { return false }
    append(exact, value)
    return true
  }

  /// The keys in order.
  public var keys: [String] { entries.map(\.key.text) }

  /// The members in order.
  public var members: [(key: String, value: JSONValue)] {
    entries.map { ($0.key.text, $0.value) }
  }

  /// The number of members.
  public var count: Int { entries.count }

  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.entries == right.entries
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(entries) }

  private mutating func append(_ key: ExactKey, _ value: JSONValue) {
    positions[key] = entries.count
    entries.append(Entry(key: key, value: value))
  }

  private mutating func remove(at position: Int) {
    entries.remove(at: position)
    positions = [:]
    for (index, entry) in entries.enumerated() { positions[entry.key] = index }
  }
}

private struct Entry: Hashable {
  var key: ExactKey
  var value: JSONValue
}

/// A name that is equal to another when their UTF-8 bytes are, as they are to JSON, to file systems
/// and to other programs.
package struct ExactKey: Hashable, Sendable {
  package var text: String

  package init(text: String) { self.text = text }

  package static func == (left: ExactKey, right: ExactKey) -> Bool {
    left.text.utf8.elementsEqual(right.text.utf8)
  }

  package func hash(into hasher: inout Hasher) {
    let hashed: Void? = text.utf8.withContiguousStorageIfAvailable {
      hasher.combine(bytes: UnsafeRawBufferPointer($0))
    }
    if hashed == nil { text.utf8.forEach { hasher.combine($0) } }
    hasher.combine(UInt8(0xff))
  }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  /// The members in their order.
  public init(dictionaryLiteral members: (String, JSONValue)...) { self.init(members) }
}
