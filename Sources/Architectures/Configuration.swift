public import StrictJSON

/// A config.json with typed, range-checked access; every error names the key and the file.
public struct Configuration: Sendable {
  /// No real model has a larger dimension; products of two stay far from overflow.
  public static let largestDimension = 1 << 28
  /// No real model is deeper.
  public static let mostLayers = 4096

  /// The keys and values.
  public let object: JSONObject
  /// The file they come from, for messages.
  public let file: String
  /// What stands before keys in messages: `rope_scaling.` for those of that object.
  private let place: String
  /// What the file itself calls keys, where that is another format's name.
  private let spelling: [String: String]
  /// Which keys were asked for, and what is to be told of them.
  let record: KeyRecord

  /// A configuration read from `file`, which may call keys by other names.
  public init(_ object: JSONObject, file: String, spelling: [String: String] = [:]) {
    self.object = object
    self.file = file
    self.spelling = spelling
    place = ""
    record = KeyRecord()
  }

  /// The object below `key` of `whole` as the configuration of a model.
  init(model object: JSONObject, below key: String, of whole: Configuration) {
    self.object = object
    file = whole.file
    place = whole.name(key) + "."
    spelling = [:]
    record = KeyRecord()
  }

  /// The object below `key` of `whole`.
  private init(_ object: JSONObject, below key: String, of whole: Configuration) {
    self.object = object
    file = whole.file
    place = whole.name(key) + "."
    spelling = [:]
    record = KeyRecord(partOf: whole.record)
  }

  /// The value of `key`, which from now on is a known key; `null` counts as absent.
  public func value(_ key: String) -> JSONValue? {
    record.ask(key)
    guard let value = object[key], !value.isNull else { return nil }
    return value
  }

  /// `key` as the file calls it, for messages.
  public func name(_ key: String) -> String { spelling[key] ?? place + key }

  /// A required string.
  public func string(_ key: String) throws(ConfigurationError) -> String {
    let value = try required(key)
    guard let text = value.string else { throw wrongType(key, "a string", value) }
    return text
  }

  /// An optional truth value.
  public func bool(_ key: String, default fallback: Bool) throws(ConfigurationError) -> Bool {
    guard let value = value(key) else { return fallback }
    guard let truth = value.bool else { throw wrongType(key, "true or false", value) }
    return truth
  }

  /// A required size: 1 ... `largestDimension`.
  public func size(_ key: String) throws(ConfigurationError) -> Int {
    try size(key, in: try required(key))
  }

  /// An optional size: 1 ... `largestDimension`.
  public func optionalSize(_ key: String) throws(ConfigurationError) -> Int? {
    guard let value = value(key) else { return nil }
    return try size(key, in: value)
  }

  /// An optional positive number.
  public func positive(
    _ key: String, default fallback: Double
  ) throws(ConfigurationError) -> Double {
    guard let value = value(key) else { return fallback }
    guard let number = value.double else { throw wrongType(key, "a number", value) }
    guard number > 0, number.isFinite else {
      throw .outOfRange(
        key: name(key), value: value.compact, expected: "more than 0", file: file)
    }
    return number
  }

  /// A positive number, or nil when absent.
  public func optionalPositive(_ key: String) throws(ConfigurationError) -> Double? {
    value(key) == nil ? nil : try positive(key, default: 1)
  }

  /// A positive number that must be there.
  func requiredPositive(_ key: String) throws(ConfigurationError) -> Double {
    guard value(key) != nil else { throw .missingKey(name(key), file: file) }
    return try positive(key, default: 1)
  }

  /// A token id, or a list of them; empty when absent.
  public func tokens(_ key: String) throws(ConfigurationError) -> [Int] {
    guard let value = value(key) else { return [] }
    return try (value.array ?? [value]).map { (element) throws(ConfigurationError) in
      guard let id = element.int else { throw wrongType(key, "a token id or a list", value) }
      return id
    }
  }

  /// An optional list of integers.
  public func integers(_ key: String) throws(ConfigurationError) -> [Int]? {
    guard let value = value(key) else { return nil }
    let numbers = value.array?.compactMap(\.int)
    guard let numbers, numbers.count == value.array?.count else {
      throw wrongType(key, "a list of integers", value)
    }
    return numbers
  }

  /// An optional list of strings.
  public func strings(_ key: String) throws(ConfigurationError) -> [String]? {
    guard let value = value(key) else { return nil }
    let texts = value.array?.compactMap(\.string)
    guard let texts, texts.count == value.array?.count else {
      throw wrongType(key, "a list of strings", value)
    }
    return texts
  }

  /// An object below this one, as a configuration of its own.
  public func nested(_ key: String) throws(ConfigurationError) -> Configuration? {
    guard let value = value(key) else { return nil }
    guard let object = value.object else { throw wrongType(key, "an object", value) }
    return Configuration(object, below: key, of: self)
  }

  /// `object`, which stands at `place` of this one, as a configuration of its own.
  func part(_ object: JSONObject, at place: String) -> Configuration {
    Configuration(object, below: place, of: self)
  }

  private func required(_ key: String) throws(ConfigurationError) -> JSONValue {
    guard let value = value(key) else { throw .missingKey(name(key), file: file) }
    return value
  }

  private func size(_ key: String, in value: JSONValue) throws(ConfigurationError) -> Int {
    guard let number = value.int else { throw wrongType(key, "an integer", value) }
    guard (1...Configuration.largestDimension).contains(number) else {
      throw .outOfRange(
        key: name(key), value: value.compact, expected: "1 to \(Configuration.largestDimension)",
        file: file)
    }
    return number
  }

  /// The error that the value of `key` is no `expected`.
  func wrongType(_ key: String, _ expected: String, _ got: JSONValue) -> ConfigurationError {
    .wrongType(
      key: name(key), expected: expected, got: String(got.compact.prefix(60)), file: file)
  }
}
