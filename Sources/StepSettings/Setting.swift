/// One setting of a step, declared once: its name, type, default, limits and one sentence.
///
/// An option of the command line, a key of a recipe, a field of a manifest, the check of a value and
/// a row of the tables in the documents are views of it.
public struct Setting<Value: Sendable>: Sendable {
  /// Its name, as recipes and the command line spell it: `gate-bias`.
  public let name: String
  /// One sentence for people.
  public let help: String
  /// What a value may be, in words: `1 to 65536`.
  public let expected: String
  /// What its value is called in a synopsis: `size`.
  public let valueName: String
  /// What is shown as the default; nil for nothing.
  public let shownDefault: String?
  /// Whether it decides the result, so that manifests record it.
  public let isRecorded: Bool
  /// Whether it has to be given: no step runs without it.
  public let isRequired: Bool
  /// What its values are paths of; nil where they are none.
  public private(set) var paths: PathKind?

  let fallback: @Sendable (_ given: (String) -> (any Sendable)?) -> Value
  let parse: @Sendable ([String]) -> Value?
  let spell: @Sendable (Value) -> [String]
  let isAllowed: @Sendable (Value) -> Bool
}

extension Setting {
  /// A setting whose values have a spelling of their own.
  ///
  /// - Parameters:
  ///   - fallback: the default.
  ///   - expected: what may be given; by default what the type says.
  ///   - allowed: which of the values that can be spelled are in range.
  public init(
    _ name: String, _ fallback: Value, _ help: String, expected: String? = nil,
    valueName: String? = nil, isRecorded: Bool = true, isRequired: Bool = false,
    shownDefault: String? = nil, allowed: @escaping @Sendable (Value) -> Bool = { _ in true }
  ) where Value: SettingValue {
    self.init(
      name: name, help: help, expected: expected ?? Value.expected,
      valueName: valueName ?? name, shownDefault: shownDefault ?? fallback.spelling,
      isRecorded: isRecorded, isRequired: isRequired, fallback: { _ in fallback },
      parse: { Value(spelling: $0.joined(separator: ",")) }, spell: { [$0.spelling] },
      isAllowed: allowed)
  }

  /// A number in a range.
  public init(
    _ name: String, _ fallback: Value, in range: ClosedRange<Value>, _ help: String,
    expected: String? = nil, valueName: String? = nil, isRecorded: Bool = true
  ) where Value: SettingValue & Comparable {
    self.init(
      name, fallback, help,
      expected: expected ?? "\(range.lowerBound.spelling) to \(range.upperBound.spelling)",
      valueName: valueName, isRecorded: isRecorded, allowed: range.contains)
  }

  /// A setting that may be absent, which `none` spells.
  public init<Wrapped: SettingValue>(
    _ name: String, none: String, _ help: String, expected: String? = nil,
    valueName: String? = nil, isRecorded: Bool = true, shownDefault: String? = nil,
    allowed: @escaping @Sendable (Wrapped) -> Bool = { _ in true }
  ) where Value == Wrapped? {
    self.init(
      name: name, help: help, expected: expected ?? "\(none) or \(Wrapped.expected)",
      valueName: valueName ?? name, shownDefault: shownDefault ?? none, isRecorded: isRecorded,
      isRequired: false, fallback: { _ in nil },
      parse: { texts in
        let text = texts.joined(separator: ",")
        return text == none ? .some(nil) : Wrapped(spelling: text).map { .some($0) }
      }, spell: { [$0?.spelling ?? none] }, isAllowed: { $0.map(allowed) ?? true })
  }

  /// A setting whose default follows from another one.
  ///
  /// - Parameter derived: the default, from the other one's value; nil where that has its default.
  public init<Other: Sendable>(
    _ name: String, from other: String, _ derived: @escaping @Sendable (Other?) -> Value,
    _ help: String, shownDefault: String?, valueName: String? = nil,
    allowed: @escaping @Sendable (Value) -> Bool = { _ in true }, expected: String? = nil
  ) where Value: SettingValue {
    self.init(
      name: name, help: help, expected: expected ?? Value.expected, valueName: valueName ?? name,
      shownDefault: shownDefault, isRecorded: true, isRequired: false,
      fallback: { given in derived(given(other) as? Other) },
      parse: { Value(spelling: $0.joined(separator: ",")) }, spell: { [$0.spelling] },
      isAllowed: allowed)
  }
}

/// What a setting's values are paths of. In a recipe they start from its directory.
public enum PathKind: Sendable {
  /// UTF-8 texts, which are read: a recipe finds one that is missing before its first step.
  case text
  /// Any other file.
  case file
}

extension Setting {
  /// The same, where its values are paths.
  public func paths(of kind: PathKind) -> Setting {
    var setting = self
    setting.paths = kind
    return setting
  }
}

extension Setting<[String]> {
  /// Texts of any kind, each given by an option of its own; empty by default.
  public static func list(
    _ name: String, _ help: String, expected: String, valueName: String
  ) -> Setting {
    Setting(
      name: name, help: help, expected: expected, valueName: valueName, shownDefault: nil,
      isRecorded: false, isRequired: false, fallback: { _ in [] }, parse: { $0 }, spell: { $0 },
      isAllowed: { _ in true })
  }

  /// Paths of texts; they decide the result by what is in them, which manifests record as digests.
  public static func texts(_ help: String, isRequired: Bool = false) -> Setting {
    Setting(
      name: "text", help: help.dropLast() + "; - is standard input.",
      expected: "at least one file", valueName: "file",
      shownDefault: nil, isRecorded: false, isRequired: isRequired, fallback: { _ in [] },
      parse: { $0 }, spell: { $0 }, isAllowed: { _ in true }
    ).paths(of: .text)
  }
}

/// A setting of any type, for what reads and shows all of them.
public protocol AnySetting: Sendable {
  /// Its name.
  var name: String { get }
  /// One sentence for people.
  var help: String { get }
  /// What a value may be.
  var expected: String { get }
  /// What its value is called.
  var valueName: String { get }
  /// What is shown as the default.
  var shownDefault: String? { get }
  /// Whether manifests record it.
  var isRecorded: Bool { get }
  /// Whether it has to be given.
  var isRequired: Bool { get }
  /// What its values are paths of; nil where they are none.
  var paths: PathKind? { get }
  /// How it is given on a command line.
  var form: SettingForm { get }
  /// The value that texts spell; nil when they spell none.
  func value(of texts: [String]) -> (any Sendable)?
  /// How the value that is in force is spelled, where `given` holds those that were set.
  func spelling(given: (String) -> (any Sendable)?) -> [String]
  /// Whether the value that is in force is in range.
  func isAllowed(given: (String) -> (any Sendable)?) -> Bool
}

/// How a setting is given on a command line.
public enum SettingForm: Sendable, Equatable {
  /// `--name value`
  case value
  /// `--name value value …`
  case list
  /// `--name`, and `--no-name` where it is the default.
  case flag(isDefault: Bool)
}

extension Setting: AnySetting {
  public var form: SettingForm {
    if Value.self == [String].self { return .list }
    if let isDefault = fallback({ _ in nil }) as? Bool { return .flag(isDefault: isDefault) }
    return .value
  }

  public func value(of texts: [String]) -> (any Sendable)? { parse(texts) }

  public func spelling(given: (String) -> (any Sendable)?) -> [String] {
    spell(value(given: given))
  }

  public func isAllowed(given: (String) -> (any Sendable)?) -> Bool {
    let value = value(given: given)
    // No setting has a use for an infinite number, or for what is none.
    return ((value as? Double)?.isFinite ?? true) && isAllowed(value)
  }

  func value(given: (String) -> (any Sendable)?) -> Value {
    given(name) as? Value ?? fallback(given)
  }
}
