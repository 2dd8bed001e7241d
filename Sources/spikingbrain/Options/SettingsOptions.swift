import ArgumentParser
import Foundations
import StepSettings

/// The options that follow from the declarations of a step's settings.
///
/// The parser finds options by looking at the members of a value. Those shown here are made from the
/// declarations, so that a setting becomes an option by being declared.
struct SettingsOptions<Keys: SettingKeys>: ParsableArguments, CustomReflectable {
  /// What was given, by name.
  private var given: [(name: String, texts: [String])] = []

  init() {}

  var customMirror: Mirror {
    Mirror(self, children: Keys.all.map { ($0.name, Self.option($0)) }, displayStyle: .struct)
  }

  private static func option(_ setting: any AnySetting) -> Any {
    let name = NameSpecification.customLong(setting.name)
    switch setting.form {
    case .flag(let isDefault):
      let help = ArgumentHelp(stringLiteral: setting.help)
      return isDefault
        ? Flag<Bool?>(name: name, inversion: .prefixedNo, help: help)
        : Flag<Bool>(wrappedValue: false, name: name, help: help)
    case .list:
      let help = ArgumentHelp(setting.help, valueName: setting.valueName)
      return setting.isRequired
        ? Option<[String]>(name: name, parsing: .upToNextOption, help: help)
        : Option<[String]>(
          wrappedValue: [], name: name, parsing: .upToNextOption, help: help)
    case .value:
      let help = ArgumentHelp(setting.helpText, valueName: setting.valueName)
      let check: @Sendable (String) throws -> String? = { text in
        guard setting.value(of: [text]) != nil else {
          throw ValidationError("expected \(setting.expected).")
        }
        return text
      }
      guard !setting.isRequired else {
        return Option<String>(
          name: name, parsing: .unconditional, help: help, transform: { try check($0) ?? $0 })
      }
      return Option<String?>(
        wrappedValue: nil, name: name, parsing: .unconditional, help: help, transform: check)
    }
  }

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    for setting in Keys.all {
      let key = Key(stringValue: setting.name)
      let texts: [String]
      switch setting.form {
      case .flag(isDefault: true):
        texts =
          try values.decode(Flag<Bool?>.self, forKey: key).wrappedValue.map { ["\($0)"] } ?? []
      case .flag(isDefault: false):
        texts = try values.decode(Flag<Bool>.self, forKey: key).wrappedValue ? ["true"] : []
      case .list: texts = try values.decode(Option<[String]>.self, forKey: key).wrappedValue
      case .value where setting.isRequired:
        texts = [try values.decode(Option<String>.self, forKey: key).wrappedValue]
      case .value:
        texts =
          try values.decode(Option<String?>.self, forKey: key).wrappedValue.map { [$0] } ?? []
      }
      if !texts.isEmpty { given.append((setting.name, texts)) }
    }
  }

  /// The settings that were given, and defaults for the others; the step that is run
  /// with them checks ranges and rules.
  func settings() throws -> Settings<Keys> {
    var settings = Settings<Keys>()
    for (name, texts) in given { try settings.set(name, to: texts, at: .commandLine) }
    return settings
  }
}

extension AnySetting {
  /// What every value of a type may be needs no words.
  private var isExpectationPlain: Bool {
    [Int.expected, Double.expected, String.expected, ByteSize.expected, "a file"].contains(expected)
  }

  /// Its sentence, with what may be given and the default.
  fileprivate var helpText: String {
    var facts = isRequired || isExpectationPlain ? [] : [expected]
    if let shownDefault, !shownDefault.isEmpty { facts.append("default: \(shownDefault)") }
    return facts.isEmpty ? help : "\(help) (\(facts.joined(separator: "; ")))"
  }
}
