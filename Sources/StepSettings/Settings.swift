/// The values of a step's settings: those that were given, and defaults for the others.
///
/// `settings.window` is the value of the setting that `Keys` declares as `window`.
@dynamicMemberLookup
public struct Settings<Keys: SettingKeys>: Sendable {
  private var values: [String: any Sendable] = [:]
  private var places: [String: SettingPlace] = [:]

  /// The defaults.
  public init() {}

  /// The value of a setting.
  public subscript<Value>(dynamicMember path: KeyPath<Keys, Setting<Value>>) -> Value {
    get { Keys.keys[keyPath: path].value { values[$0] } }
    set { values[Keys.keys[keyPath: path].name] = newValue }
  }

  /// The values of a group of settings.
  public subscript<Group: SettingKeys>(
    dynamicMember path: KeyPath<Keys, Group>
  ) -> Settings<Group> {
    get {
      var group = Settings<Group>()
      (group.values, group.places) = (values, places)
      return group
    }
    set { (values, places) = (newValue.values, newValue.places) }
  }

  /// Whether a setting was given, even if as its default.
  public func isGiven<Value>(_ path: KeyPath<Keys, Setting<Value>>) -> Bool {
    values[Keys.keys[keyPath: path].name] != nil
  }

  /// Sets a setting by its name to what `texts` spell; throws when they spell none of its values, or
  /// there is no such setting.
  public mutating func set(
    _ name: String, to texts: [String], at place: SettingPlace
  ) throws(SettingError) {
    let all = Keys.all
    guard let setting = all.first(where: { $0.name == name }) else {
      throw .unknown(name, known: all.map(\.name), place: place)
    }
    guard let value = setting.value(of: texts) else {
      throw .wrongValue(
        key: name, value: texts.joined(separator: ","), expected: setting.expected, place: place)
    }
    values[name] = value
    places[name] = place
  }

  /// Throws when a value is out of range or missing, or does not go with another one.
  public func validate() throws(SettingError) {
    try validateRanges()
    for rule in Keys.rules where !rule.holds(self) { throw wrong(rule.name, rule.expected(self)) }
    // What was given wrong comes before what was not given.
    for setting in Keys.all where setting.isRequired && texts(setting.name).isEmpty {
      throw wrong(setting.name, setting.expected)
    }
  }

  private func validateRanges() throws(SettingError) {
    for setting in Keys.all where !setting.isAllowed(given: { values[$0] }) {
      throw wrong(setting.name, setting.expected)
    }
  }

  private func wrong(_ name: String, _ expected: String) -> SettingError {
    let value = spelling(name)
    return .wrongValue(
      key: name, value: value.isEmpty ? "missing" : value, expected: expected,
      place: place(of: name) ?? .commandLine)
  }

  /// Where the settings stand as a whole, for what is missing.
  public var whole: SettingPlace?

  /// Where the setting called `name` was given, or else where all stand.
  public func place(of name: String?) -> SettingPlace? { name.flatMap { places[$0] } ?? whole }

  private func spelling(_ name: String) -> String {
    let setting = Keys.all.first { $0.name == name }
    return setting?.spelling { values[$0] }.joined(separator: ",") ?? ""
  }

  /// Every setting that decides the result with its value, in a fixed order: as manifests record
  /// them.
  public var fields: [(key: String, value: String)] { fields { $0.isRecorded } }

  private func fields(
    _ chosen: (any AnySetting) -> Bool
  ) -> [(key: String, value: String)] {
    Keys.all.filter(chosen).map { setting in
      (setting.name, setting.spelling { values[$0] }.joined(separator: ","))
    }
  }

  /// The settings that `fields` recorded, for example in the manifest `file`.
  ///
  /// What earlier versions did not record has its default.
  public init(fields: [String: String], file: String) throws(SettingError) {
    for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
      try set(name, to: [value], at: SettingPlace(file: file))
    }
    // Rules are about files too, which a manifest does not name.
    try validateRanges()
  }
}

extension Settings: Equatable {
  /// Whether all values are the same, given or not.
  public static func == (left: Settings, right: Settings) -> Bool {
    left.fields { _ in true }.map(\.value) == right.fields { _ in true }.map(\.value)
  }
}

extension Settings {
  /// The texts that spell a setting's value; empty where there is no such setting, or no value.
  public func texts(_ name: String) -> [String] {
    let texts = Keys.all.first { $0.name == name }?.spelling { values[$0] } ?? []
    return texts == [""] ? [] : texts
  }

  /// Changes how a setting that was given is spelled; does nothing where there is none, or `change`
  /// makes what spells none of its values.
  public mutating func change(_ name: String, by change: ([String]) -> [String]) {
    guard values[name] != nil, let setting = Keys.all.first(where: { $0.name == name }) else {
      return
    }
    values[name] = setting.value(of: change(texts(name))) ?? values[name]
  }
}
