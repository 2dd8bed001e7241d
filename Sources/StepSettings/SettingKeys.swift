/// The settings that a step has: a struct of `Setting`s, and of such structs for settings that
/// belong together.
public protocol SettingKeys: Sendable {
  /// The declarations.
  static var keys: Self { get }
  /// What holds between several settings.
  static var rules: [SettingRule<Self>] { get }
}

extension SettingKeys {
  public static var rules: [SettingRule<Self>] { [] }

  /// All settings in the order of their declaration, those of groups where the group stands.
  public static var all: [any AnySetting] { settings(in: keys) }

  private static func settings(in keys: any SettingKeys) -> [any AnySetting] {
    Mirror(reflecting: keys).children.flatMap { child -> [any AnySetting] in
      if let setting = child.value as? any AnySetting { return [setting] }
      return (child.value as? any SettingKeys).map(settings) ?? []
    }
  }
}

/// Something that has to hold between settings, and which of them to name when it does not.
public struct SettingRule<Keys: SettingKeys>: Sendable {
  let name: String
  let expected: @Sendable (Settings<Keys>) -> String
  let holds: @Sendable (Settings<Keys>) -> Bool

  /// A rule about the setting at `path`.
  ///
  /// - Parameters:
  ///   - expected: what its value would have to be.
  ///   - holds: whether it is.
  public init<Value>(
    _ path: KeyPath<Keys, Setting<Value>>,
    _ expected: @autoclosure @escaping @Sendable () -> String,
    holds: @escaping @Sendable (Settings<Keys>) -> Bool
  ) {
    name = Keys.keys[keyPath: path].name
    self.expected = { _ in expected() }
    self.holds = holds
  }

  /// A rule whose words depend on other settings.
  public init<Value>(
    _ path: KeyPath<Keys, Setting<Value>>,
    saying expected: @escaping @Sendable (Settings<Keys>) -> String,
    holds: @escaping @Sendable (Settings<Keys>) -> Bool
  ) {
    name = Keys.keys[keyPath: path].name
    self.expected = expected
    self.holds = holds
  }
}
