/// A JSON document: objects keep the order of their keys, numbers keep the text they were
/// written with.
///
/// Foundation's JSON types lose key order and accept duplicate keys; both matter here, since
/// outputs must be reproducible byte for byte and a duplicate tensor name is an attack.
public enum JSONValue: Sendable, Hashable {
  case null
  case bool(Bool)
  /// The number's own text, for example `1e-06`.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)
}

extension JSONValue {
  /// The member `key` of an object; nil for anything else.
  public subscript(key: String) -> JSONValue? {
    if case .object(let object) = self { return object[key] }
    return nil
  }

  /// The object, if this is one.
  public var object: JSONObject? {
    if case .object(let object) = self { return object }
    return nil
  }

  /// The elements, if this is an array.
  public var array: [JSONValue]? {
    if case .array(let elements) = self { return elements }
    return nil
  }

  /// The text, if this is a string.
  public var string: String? {
    if case .string(let text) = self { return text }
    return nil
  }

  /// The truth value, if this is `true` or `false`.
  public var bool: Bool? {
    if case .bool(let value) = self { return value }
    return nil
  }

  /// The exact integer, if this is a number written as one (or as `1.0`, `1e6`).
  public var int: Int? {
    guard case .number(let text) = self else { return nil }
    if let value = Int(text) { return value }
    guard let value = Double(text), value == value.rounded(), value.magnitude < 9e15 else {
      return nil
    }
    return Int(value)
  }

  /// The number as a double, if this is a number.
  public var double: Double? {
    if case .number(let text) = self { return Double(text) }
    return nil
  }

  /// Whether this is `null`.
  public var isNull: Bool { self == .null }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
  ExpressibleByFloatLiteral, ExpressibleByNilLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int) { self = .number(String(value)) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(floatLiteral value: Double) { self = .double(value) }
  public init(nilLiteral: ()) { self = .null }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(JSONObject(elements))
  }

  /// A number from an integer.
  public static func int(_ value: Int) -> JSONValue { .number(String(value)) }

  /// A number from a double; JSON has no NaN or infinity, which become null.
  public static func double(_ value: Double) -> JSONValue {
    value.isFinite ? .number("\(value)") : .null
  }

  /// A number from a float, with as many digits as tell it from others.
  public static func float(_ value: Float) -> JSONValue {
    value.isFinite ? .number("\(value)") : .null
  }

  /// An array of integers.
  public static func ints(_ values: some Sequence<Int>) -> JSONValue {
    .array(values.map { .int($0) })
  }
}
