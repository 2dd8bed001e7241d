import StepSettings
import Yams

/// A mapping of a file in YAML, with the place of every key.
struct RecipeReader {
  private let file: String
  private let mapping: Node.Mapping
  private let line: Int?

  /// Reads `node`; throws when it is no mapping of keys to values.
  init(_ node: Node, describing what: String, file: String) throws(RecipeError) {
    guard let mapping = node.mapping else {
      throw .notAMapping(what, place: SettingPlace(file: file, line: node.mark?.line))
    }
    self.file = file
    self.mapping = mapping
    line = node.mark?.line
  }

  /// Where the mapping stands.
  var place: SettingPlace { SettingPlace(file: file, line: line) }

  /// The keys with their values, those left out whose value is null.
  var given: [(key: String, node: Node)] {
    mapping.map { ($0.key.scalar?.string ?? "", $0.value) }.filter { !$0.1.isTagged(.null) }
  }

  /// The value of a key; nil where it is null, or not there.
  func value(_ key: String) -> Node? {
    mapping[key].flatMap { $0.isTagged(.null) ? nil : $0 }
  }

  /// The mapping that a key has as its value.
  func mapping(_ key: String) throws(RecipeError) -> RecipeReader? {
    guard let node = value(key) else { return nil }
    return try RecipeReader(node, describing: "\"\(key)\"", file: file)
  }

  /// Where `node` stands.
  func place(of node: Node) -> SettingPlace {
    SettingPlace(file: file, line: node.mark?.line ?? line)
  }

  /// The values in the list `key`, of which there is at least one.
  func list(_ key: String, of things: String) throws(RecipeError) -> [Node] {
    guard let node = mapping[key] else { throw .missingKey(key, place: place) }
    guard let list = node.sequence, !list.isEmpty else {
      throw .notAValue(
        key, got: node.sequence == nil ? "no list" : "empty", expected: "a list of \(things)",
        place: place(of: node))
    }
    return Array(list)
  }

  /// The text of a single value.
  func text(_ key: String) throws(RecipeError) -> String? {
    guard let node = mapping[key] else { return nil }
    guard let text = node.scalar?.string else {
      throw .notAValue(
        key, got: "a list or mapping", expected: "a single value", place: place(of: node))
    }
    return text
  }

  /// Throws when there is a key that is not `known`.
  func requireKnown(_ known: [String]) throws(RecipeError) {
    for (key, node) in mapping where !known.contains(key.scalar?.string ?? "") {
      throw .unknownKey(
        key.scalar?.string ?? "", known: known,
        place: SettingPlace(file: file, line: (key.mark ?? node.mark)?.line))
    }
  }

  /// The settings that the mapping holds: a value, or a list of values, for each key.
  func settings<Keys: SettingKeys>(_ type: Settings<Keys>.Type) throws(RecipeError) -> Settings<
    Keys
  > {
    try requireKnown(Keys.all.map(\.name))
    var settings = Settings<Keys>()
    settings.whole = place
    for (key, node) in mapping {
      let name = key.scalar?.string ?? ""
      let texts = node.scalar.map { [$0.string] } ?? node.sequence?.compactMap(\.scalar?.string)
      guard let texts, node.scalar != nil || texts.count == node.sequence?.count else {
        throw .notAValue(
          name, got: "a mapping", expected: "a value or a list of values", place: place(of: node))
      }
      do {
        try settings.set(name, to: texts, at: place(of: node))
      } catch {
        throw .setting(error)
      }
    }
    do {
      try settings.validate()
    } catch {
      throw .setting(error)
    }
    return settings
  }
}

extension Node {
  /// Whether this is what YAML calls `name`: a text, a whole number, a truth value, null.
  func isTagged(_ name: Tag.Name) -> Bool { tag == Tag(name) }
}
