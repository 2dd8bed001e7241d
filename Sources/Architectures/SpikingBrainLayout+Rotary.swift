import StrictJSON

extension RotaryParameters {
  /// The keys of our own rotary objects besides those that `transformers` has.
  static let limitKey = "position_limit", magnitudeKey = "attention_factor"

  /// The `rope_scaling` object of a configuration; null when nothing is scaled.
  var scalingObject: JSONValue {
    var object = scaling.object
    if magnitude != 1 || scaling.statesMagnitude {
      object[Self.magnitudeKey] = .double(magnitude)
    }
    object[Self.limitKey] = limit.map { .int($0) }
    if object.count > 0, object["rope_type"] == nil { object["rope_type"] = "default" }
    return object.count == 0 ? .null : .object(object)
  }

  /// Whether it is one that versions of our own layout before 4 do not know.
  var isNew: Bool {
    switch scaling {
    case .yarn, .wavelengths: true
    default: magnitude != 1 || limit != nil
    }
  }
}

extension RotaryParameters.Scaling {
  /// Whether an absent factor of rotary embeddings would not mean 1.
  fileprivate var statesMagnitude: Bool {
    if case .yarn = self { return true }
    return false
  }

  /// The keys that say it; none when unscaled.
  fileprivate var object: JSONObject {
    switch self {
    case .none: JSONObject()
    case .linear(let factor): JSONObject([("rope_type", "linear"), ("factor", .double(factor))])
    case .llama3(let factor, let low, let high, let original):
      JSONObject([
        ("rope_type", "llama3"), ("factor", .double(factor)), ("low_freq_factor", .double(low)),
        ("high_freq_factor", .double(high)), ("original_max_position_embeddings", .int(original)),
      ])
    case .yarn(let factor, let fast, let slow, let truncates, let original):
      JSONObject([
        ("rope_type", "yarn"), ("factor", .double(factor)), ("beta_fast", .double(fast)),
        ("beta_slow", .double(slow)), ("truncate", .bool(truncates)),
        ("original_max_position_embeddings", .int(original)),
      ])
    case .divisors(let divisors): Self.factors("factors", divisors)
    case .wavelengths(let factors): Self.factors("wavelengths", factors)
    }
  }

  private static func factors(_ type: String, _ factors: [Float]) -> JSONObject {
    JSONObject([
      ("rope_type", .string(type)), ("factors", .array(factors.map { .double(Double($0)) })),
    ])
  }
}
