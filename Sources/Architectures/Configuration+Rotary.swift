import StrictJSON

/// How a configuration may say that only the first channels of a head turn.
enum RotaryShare {
  /// Not at all.
  case all
  /// As a share of head_dim, `partial_rotary_factor`.
  case factor
  /// As their number, `rotary_dim`.
  case channels
}

/// How a configuration says its rotary embedding.
///
/// Source: `transformers` 5.23, `RotaryEmbeddingConfigMixin`: version 4 writes `rope_theta` and
/// `rope_scaling` (with `type`, later `rope_type`), version 5 one object `rope_parameters`, and files
/// mix them. Tests/Fixtures/fields has logits for each spelling.
extension Configuration {
  /// The types of rotary embeddings that most classes have, and our own.
  static let rotaryTypes = ["default", "linear", "llama3", "factors"]

  /// The rotary embedding of heads of `headDim` channels.
  ///
  /// - Parameters:
  ///   - positions: the length of context that Llama 3's ramp refers to where nothing states it.
  ///   - share: how the keys may say that a part of the channels turns.
  ///   - types: the types that may be named.
  func rotary(
    headDim: Int, positions: Int, share: RotaryShare = .all,
    types: [String] = Configuration.rotaryTypes
  ) throws(ConfigurationError) -> RotaryParameters {
    let objects = [try nested("rope_scaling"), try nested("rope_parameters")]
      .compactMap(\.self).filter { $0.object.count > 0 }
    let chosen = objects.first
    if objects.count > 1, objects[0].object != objects[1].object {
      record.note(
        "rope_scaling and rope_parameters differ: the former counts, as in transformers 5.")
    }
    let theta = try base(chosen)
    let channels = try rotaryChannels(headDim, chosen, share)
    let stated = try optionalSize("original_max_position_embeddings")
    guard let chosen else { return RotaryParameters(theta: theta, channels: channels) }
    let scaling = try chosen.scaling(
      headDim: channels ?? headDim, stated: stated, positions: positions, types: types)
    return RotaryParameters(theta: theta, scaling: scaling, channels: channels)
  }

  /// The channels that turn of a head of `headDim`; nil for all.
  private func rotaryChannels(
    _ headDim: Int, _ chosen: Configuration?, _ form: RotaryShare
  ) throws(ConfigurationError) -> Int? {
    let key = "partial_rotary_factor"
    var shares: [(place: Configuration, share: Double)] = []
    for place in [chosen, self].compactMap(\.self) where place.value(key) != nil {
      shares.append((place, try place.positive(key, default: 1)))
    }
    let channels: Int, stated: String, name: String
    if form == .factor, let (place, share) = shares.first {
      // Rounded down, as `transformers` does.
      channels = Int((Double(headDim) * min(share, 2)).rounded(.towardZero))
      (stated, name) = ("\(share)", place.name(key))
    } else {
      if let (place, share) = shares.first(where: { $0.share != 1 }) {
        throw .unsupported(
          key: place.name(key), value: "\(share)", reason: "every channel must rotate", file: file)
      }
      let count = "rotary_dim"
      guard form == .channels, let size = try optionalSize(count) else { return nil }
      (channels, stated, name) = (size, "\(size)", self.name(count))
    }
    guard (2...headDim).contains(channels), channels % 2 == 0 else {
      throw .outOfRange(
        key: name, value: stated, expected: "an even number of the \(headDim) channels of a head",
        file: file)
    }
    return channels == headDim ? nil : channels
  }

  /// `rope_theta` of the object, else of the top, else 10000.
  private func base(_ chosen: Configuration?) throws(ConfigurationError) -> Double {
    let key = "rope_theta", standard = 10_000.0
    let places = [chosen, self].compactMap(\.self).filter { $0.object[key] != nil }
    guard let place = places.first else { return standard }
    guard place.value(key) != nil else { throw place.wrongType(key, "a number", .null) }
    let base = try place.positive(key, default: standard)
    if places.count > 1, try positive(key, default: base) != base {
      record.note(
        "\(place.name(key)) is \(base), \(name(key)) beside it another: the former counts, as in "
          + "transformers 5.")
    }
    return base
  }

  /// What this object, `rope_scaling` or `rope_parameters`, says beside the base.
  private func scaling(
    headDim: Int, stated: Int?, positions: Int, types: [String]
  ) throws(ConfigurationError) -> RotaryParameters.Scaling {
    let key = value("rope_type") != nil ? "rope_type" : "type"
    let kind = value(key) == nil ? "default" : try string(key)
    if value("type") != nil, try string("type") != kind {
      record.note("\(name("type")) and rope_type differ: the latter counts, as in transformers.")
    }
    let scaling: RotaryParameters.Scaling
    switch kind {
    case "default", "none":
      // Written beside it by some versions, and 1 where it is.
      if object["factor"]?.double == 1 { record.ask("factor") }
      scaling = .none
    case "linear" where types.contains(kind):
      scaling = .linear(factor: try requiredPositive("factor"))
    case "llama3" where types.contains(kind):
      let own = try optionalSize("original_max_position_embeddings")
      if let stated, let own, stated != own {
        record.note(
          "\(name("original_max_position_embeddings")) is \(own), the key at the top \(stated): the "
            + "latter counts, as in transformers 5.")
      }
      scaling = .llama3(
        factor: try requiredPositive("factor"), low: try requiredPositive("low_freq_factor"),
        high: try requiredPositive("high_freq_factor"),
        originalPositions: stated ?? own ?? positions)
    case "factors" where types.contains(kind):
      let factors = value("factors")?.array?.compactMap(\.double) ?? []
      guard factors.count == headDim / 2, factors.allSatisfy({ $0 > 0 && $0.isFinite }) else {
        throw .outOfRange(
          key: name("factors"), value: "\(factors.count) numbers",
          expected: "\(headDim / 2) positive numbers", file: file)
      }
      scaling = .divisors(factors.map(Float.init))
    default:
      throw .unsupported(
        key: name(key), value: kind, reason: "known types: \(types.joined(separator: ", "))",
        file: file)
    }
    try refuseRest(of: kind)
    return scaling
  }

  /// Refuses whatever a rotary embedding of type `kind` has no use for.
  private func refuseRest(of kind: String) throws(ConfigurationError) {
    // Says how long texts were, which only some types need to know.
    record.ask("original_max_position_embeddings")
    for (key, value) in object.members where !record.wasAsked(key) && !value.isNull {
      throw .unsupported(
        key: name(key), value: String(value.compact.prefix(60)),
        reason: value.object != nil
          ? "one rotary embedding for all layers"
          : "a rotary embedding of type \(kind) does not have it", file: file)
    }
  }

  private func requiredPositive(_ key: String) throws(ConfigurationError) -> Double {
    guard value(key) != nil else { throw .missingKey(name(key), file: file) }
    return try positive(key, default: 1)
  }
}
