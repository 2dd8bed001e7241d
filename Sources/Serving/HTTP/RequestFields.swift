import StrictJSON

/// The members of a request's body, each of which somebody must know.
///
/// A member that would change the answer and is not known is refused by name; so is one that is known
/// with a value that would. Members that are null count as absent.
struct RequestFields {
  private let object: JSONObject

  /// What says who asks and for what purpose, and changes no answer.
  private static let harmless: Set = [
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
    "prompt_cache_retention", "parallel_tool_calls",
  ]

  /// What is accepted where it asks for what is done anyway.
  private static func isNeutral(_ key: String, _ value: JSONValue) -> Bool? {
    switch key {
    case "presence_penalty", "frequency_penalty": value.double == 0
    case "logit_bias": value.object?.count == 0
    case "suffix": value.string == ""
    case "tools", "functions": value.array?.isEmpty == true
    case "tool_choice", "function_call": ["none", "auto"].contains(value.string)
    case "response_format": value == ["type": "text"]
    case "modalities": value == ["text"]
    default: nil
    }
  }

  /// Values that the body of a request may hold: prompts are lists of tokens.
  private static let limit = JSONLimit.ids

  /// The members in the JSON text `body`; `used` are those that the caller reads.
  init(_ body: [UInt8], used: Set<String>) throws(APIError) {
    let value: JSONValue
    do {
      value = try JSONParser.parse(body, limit: Self.limit)
    } catch {
      throw APIError(400, "the body is not JSON: \(error.what)", code: "invalid_json")
    }
    guard case .object(let object) = value else {
      throw APIError(400, "the body is not a JSON object", code: "invalid_json")
    }
    self.object = object
    for (key, value) in object.members
    where !value.isNull && !used.contains(key) && !Self.harmless.contains(key) {
      guard let isNeutral = Self.isNeutral(key, value) else {
        throw APIError(
          400, "unknown parameter: \(key)", parameter: key, code: "unknown_parameter")
      }
      guard isNeutral else {
        throw APIError(
          400, "\(key) is not supported; leave it out", parameter: key,
          code: "unsupported_parameter")
      }
    }
  }

  /// The member `key`; nil when it is absent or null.
  subscript(key: String) -> JSONValue? {
    // Not by ?:, in which nil would be JSON's null.
    guard let value = object[key], !value.isNull else { return nil }
    return value
  }

  func string(_ key: String) throws(APIError) -> String? {
    try read(key, "a string") { $0.string }
  }

  func bool(_ key: String) throws(APIError) -> Bool? {
    try read(key, "true or false") { $0.bool }
  }

  func int(_ key: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
    try read(key, "a whole number from \(range.lowerBound) to \(range.upperBound)") { value in
      value.int.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  func double(_ key: String, in range: ClosedRange<Double>) throws(APIError) -> Double? {
    try read(key, "a number from \(range.lowerBound) to \(range.upperBound)") { value in
      value.double.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  private func read<Value>(
    _ key: String, _ expected: String, _ value: (JSONValue) -> Value?
  ) throws(APIError) -> Value? {
    guard let found = self[key] else { return nil }
    guard let value = value(found) else {
      throw .invalid(key, "\(key) is \(found.shown), expected \(expected)")
    }
    return value
  }
}
