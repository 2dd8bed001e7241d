import TensorTypes
import Yams

/// A mapping of a recipe with typed access by key: every key must be asked for, or it is unknown.
struct RecipeReader {
  let file: String
  private let mapping: Node.Mapping
  private let line: Int?
  /// Whether the mapping is what a manifest recorded: settings, without the files they were used on.
  private(set) var isRecorded = false
  private var known: [String] = []

  init(_ node: Node, describing what: String, file: String) throws(RecipeError) {
    guard let mapping = node.mapping else {
      throw .notAMapping(what, place: .init(file: file, line: node.mark?.line))
    }
    self.file = file
    self.mapping = mapping
    self.line = node.mark?.line
  }

  /// Where the value of `key` stands, or else the mapping.
  func place(_ key: String) -> RecipeError.Place {
    .init(file: file, line: mapping[key]?.mark?.line ?? line)
  }

  /// The value of `key`, which from now on is a known key.
  mutating func node(_ key: String) -> Node? {
    known.append(key)
    return mapping[key]
  }

  /// The text of a scalar value.
  mutating func text(_ key: String) throws(RecipeError) -> String? {
    guard let node = node(key) else { return nil }
    guard let text = node.scalar?.string else {
      throw .wrongValue(
        key: key, value: "a list or mapping", expected: "a single value", place: place(of: node))
    }
    return text
  }

  /// A required text.
  mutating func requiredText(_ key: String) throws(RecipeError) -> String {
    guard let text = try text(key) else {
      throw .missingKey(key, place: .init(file: file, line: line))
    }
    return text
  }

  /// A scalar, or a list of scalars, as texts.
  mutating func texts(_ key: String) throws(RecipeError) -> [String]? {
    guard let node = node(key) else { return nil }
    if let text = node.scalar?.string { return [text] }
    let texts = node.sequence?.compactMap { $0.scalar?.string }
    guard let texts, texts.count == node.sequence?.count else {
      throw .wrongValue(
        key: key, value: "a mapping", expected: "a value or a list of values",
        place: place(of: node))
    }
    return texts
  }

  /// The value of `key` read by `parse`, or `fallback` when the key is absent; `parse` returns
  /// nil for what is not `expected`.
  mutating func value<Value>(
    _ key: String, default fallback: Value, expected: String, parse: (String) -> Value?
  ) throws(RecipeError) -> Value {
    guard let texts = try texts(key) else { return fallback }
    let text = texts.joined(separator: ",")
    guard let value = parse(text) else {
      throw .wrongValue(
        key: key, value: text, expected: expected,
        place: .init(file: file, line: mapping[key]?.mark?.line ?? line))
    }
    return value
  }

  /// Throws when the mapping has a key that nothing asked for.
  func finish() throws(RecipeError) {
    for (key, node) in mapping {
      let name = key.scalar?.string ?? ""
      guard !known.contains(name) else { continue }
      throw .unknownKey(
        name, nearest: NearestName.of(name, among: known), known: known,
        place: .init(file: file, line: (key.mark ?? node.mark)?.line))
    }
  }

  private func place(of node: Node) -> RecipeError.Place {
    .init(file: file, line: node.mark?.line ?? line)
  }
}

extension RecipeReader {
  /// A reader of recorded settings, as a manifest holds them.
  init(recorded fields: [String: String], file: String) throws(RecipeError) {
    let node = Node.mapping(
      .init(fields.sorted { $0.key < $1.key }.map { (Node($0.key), Node($0.value)) }))
    try self.init(node, describing: "the recorded settings", file: file)
    isRecorded = true
  }
}
