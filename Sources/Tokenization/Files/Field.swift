import StrictJSON

/// A member of a tokenizer file and where it stands, so that errors can name it.
struct Field {
  let value: JSONValue
  let path: String

  init(_ value: JSONValue, path: String = "") {
    self.value = value
    self.path = path
  }

  /// This, or nil if it is null.
  var present: Field? { value.isNull ? nil : self }

  /// The member `key`; nil if it is absent or null.
  func optional(_ key: String) -> Field? {
    guard let member = value[key], !member.isNull else { return nil }
    return Field(member, path: path.isEmpty ? key : "\(path).\(key)")
  }

  /// The member `key`, which must be there.
  func member(_ key: String) throws(TokenizationError) -> Field {
    guard let field = optional(key) else {
      throw .missing(path: path.isEmpty ? key : "\(path).\(key)")
    }
    return field
  }

  var string: String {
    get throws(TokenizationError) { try typed(value.string, "a string") }
  }

  var bool: Bool {
    get throws(TokenizationError) { try typed(value.bool, "true or false") }
  }

  var int: Int {
    get throws(TokenizationError) { try typed(value.int, "an integer") }
  }

  var object: JSONObject {
    get throws(TokenizationError) { try typed(value.object, "an object") }
  }

  /// The elements of an array.
  var elements: [Field] {
    get throws(TokenizationError) {
      try typed(value.array, "an array").enumerated().map {
        Field($0.element, path: "\(path)[\($0.offset)]")
      }
    }
  }

  /// The one scalar of a string.
  var scalar: Unicode.Scalar {
    get throws(TokenizationError) {
      let scalars = try string.unicodeScalars
      guard let scalar = scalars.first, scalars.count == 1 else {
        throw .wrongType(path: path, expected: "one character", found: "\(scalars.count)")
      }
      return scalar
    }
  }

  /// The member `key`, or `fallback` if it is absent or null.
  func bool(_ key: String, default fallback: Bool) throws(TokenizationError) -> Bool {
    guard let field = optional(key) else { return fallback }
    return try field.bool
  }

  /// Refuses members that are not in `known`: an option we would ignore changes the ids.
  func expectOnly(_ known: Set<String>) throws(TokenizationError) {
    for (key, value) in try object.members where !known.contains(key) && !value.isNull {
      throw .unsupportedOption(
        path: "\(path).\(key)", value: value.compact, reason: "the option is not known")
    }
  }

  private func typed<Value>(
    _ value: Value?, _ expected: String
  ) throws(TokenizationError) -> Value {
    guard let value else {
      throw .wrongType(path: path, expected: expected, found: self.value.kind)
    }
    return value
  }
}

extension JSONValue {
  /// What kind of value this is, for errors.
  fileprivate var kind: String {
    switch self {
    case .null: "null"
    case .bool: "true or false"
    case .number(let text): "the number \(text)"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}
