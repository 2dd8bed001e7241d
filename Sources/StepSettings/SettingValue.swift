public import Foundations

/// What a setting's value can be: it has a spelling, from which it comes back.
public protocol SettingValue: Sendable {
  /// The value that `spelling` names; nil when it names none.
  init?(spelling: String)
  /// The value as a text.
  var spelling: String { get }
  /// What may be spelled, in words.
  static var expected: String { get }
}

extension Int: SettingValue {
  public init?(spelling: String) { self.init(spelling) }
  public var spelling: String { description }
  public static var expected: String { "a whole number" }
}

extension UInt64: SettingValue {
  public init?(spelling: String) { self.init(spelling) }
  public var spelling: String { description }
  public static var expected: String { "a whole number" }
}

extension Double: SettingValue {
  public init?(spelling: String) { self.init(spelling) }
  public var spelling: String { description }
  public static var expected: String { "a number" }
}

extension Bool: SettingValue {
  public init?(spelling: String) { self.init(spelling) }
  public var spelling: String { description }
  public static var expected: String { "true or false" }
}

extension String: SettingValue {
  public init?(spelling: String) { self = spelling }
  public var spelling: String { self }
  public static var expected: String { "a text" }
}

extension ByteSize: SettingValue {
  public init?(spelling: String) { self.init(parsing: spelling) }
  public var spelling: String { "\(bytes)" }
  public static var expected: String { "a size like 5GB" }
}

extension SettingValue where Self: RawRepresentable & CaseIterable, RawValue == String {
  public init?(spelling: String) { self.init(rawValue: spelling) }
  public var spelling: String { rawValue }
  public static var expected: String { choices }
}

/// Numbers separated by commas.
public struct NumberList: SettingValue, Equatable, ExpressibleByArrayLiteral {
  /// The numbers.
  public var numbers: [Double]

  public init(arrayLiteral numbers: Double...) { self.numbers = numbers }

  public init?(spelling: String) {
    let parts = spelling.split(separator: ",", omittingEmptySubsequences: false)
    numbers = parts.compactMap { Double($0.filter { $0 != " " }) }
    guard numbers.count == parts.count else { return nil }
  }

  public var spelling: String { numbers.map { "\($0)" }.joined(separator: ",") }
  public static var expected: String { "numbers separated by commas" }
}

extension CaseIterable where Self: RawRepresentable, RawValue == String {
  /// The raw values as a sentence part: `a, b or c`.
  public static var choices: String {
    let names = allCases.map(\.rawValue)
    guard names.count > 1, let last = names.last else { return names.joined() }
    return names.dropLast().joined(separator: ", ") + " or " + last
  }
}
