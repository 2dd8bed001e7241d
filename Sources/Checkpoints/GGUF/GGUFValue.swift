/// A typed metadata value of a GGUF file.
public enum GGUFValue: Sendable, Hashable {
  /// uint8, uint16, uint32, uint64.
  case unsigned(UInt64)
  /// int8, int16, int32, int64.
  case signed(Int64)
  case float(Float)
  case double(Double)
  case bool(Bool)
  case string(String)
  /// Elements of one type; arrays may nest.
  case array([GGUFValue])
}

extension GGUFValue {
  /// The number, if this is an integer that fits.
  public var int: Int? {
    switch self {
    case .unsigned(let value): Int(exactly: value)
    case .signed(let value): Int(exactly: value)
    default: nil
    }
  }

  /// The number, if this is one. A 32-bit float becomes the double with the same *shortest
  /// decimal* form: 1e-05 stays 1e-05 instead of 9.999999747378752e-06, so that a configuration
  /// written from it states what its author meant.
  public var double: Double? {
    switch self {
    case .unsigned(let value): Double(value)
    case .signed(let value): Double(value)
    case .float(let value): Double("\(value)") ?? Double(value)
    case .double(let value): value
    default: nil
    }
  }

  /// The truth value, if this is one.
  public var bool: Bool? {
    if case .bool(let value) = self { return value }
    return nil
  }

  /// The text, if this is a string.
  public var string: String? {
    if case .string(let value) = self { return value }
    return nil
  }

  /// The elements, if this is an array.
  public var array: [GGUFValue]? {
    if case .array(let value) = self { return value }
    return nil
  }
}

/// The metadata of a GGUF file: values by key, keys in file order.
public struct GGUFMetadata: Sendable {
  /// The keys in file order.
  public private(set) var keys: [String] = []
  private var values: [String: GGUFValue] = [:]

  /// The value of `key`, or nil.
  public subscript(key: String) -> GGUFValue? { values[key] }

  /// The string `key`, or nil when it is absent or of another type.
  public func string(_ key: String) -> String? { values[key]?.string }

  /// The integer `key` of any width, or nil when it is absent or of another type.
  public func int(_ key: String) -> Int? { values[key]?.int }

  /// The number `key`, integer or not, or nil when it is absent or of another type.
  public func double(_ key: String) -> Double? { values[key]?.double }

  /// The boolean `key`, or nil when it is absent or of another type.
  public func bool(_ key: String) -> Bool? { values[key]?.bool }

  /// The array `key`, or nil when it is absent or of another type.
  public func array(_ key: String) -> [GGUFValue]? { values[key]?.array }

  /// The array `key` of strings, or nil when it is absent or holds anything else.
  public func strings(_ key: String) -> [String]? { elements(key, \.string) }

  /// The array `key` of integers, or nil when it is absent or holds anything else.
  public func ints(_ key: String) -> [Int]? { elements(key, \.int) }

  /// The array `key` of numbers, or nil when it is absent or holds anything else.
  public func doubles(_ key: String) -> [Double]? { elements(key, \.double) }

  private func elements<Element>(
    _ key: String, _ element: (GGUFValue) -> Element?
  ) -> [Element]? {
    guard let array = values[key]?.array else { return nil }
    let elements = array.compactMap(element)
    return elements.count == array.count ? elements : nil
  }

  /// Adds `key`; false when it is already there.
  mutating func insert(_ key: String, _ value: GGUFValue) -> Bool {
    guard values.updateValue(value, forKey: key) == nil else { return false }
    keys.append(key)
    return true
  }
}
