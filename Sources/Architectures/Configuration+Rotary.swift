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

/// What a class takes the keys of its rotary embedding to mean.
struct RotaryForm {
  /// How the keys may say that a part of the channels turns.
  var share = RotaryShare.all
  /// The base where it is absent.
  var theta = 10_000.0
  /// The types that may be named.
  var types = RotaryForm.published
  /// The length that ramps refer to where nothing states it; nil for the longest context.
  var originalPositions: Int?
  /// Further keys of the object that the class reads itself.
  var ownKeys: Set<String> = []
  /// The object that an absent one means; nil for none.
  var absent: JSONObject?

  /// The types that classes of `transformers` have, and the one that is made of GGUF files.
  static let published = ["default", "linear", "dynamic", "yarn", "longrope", "llama3", "factors"]
  /// Those of our own layout.
  static let own = ["default", "linear", "llama3", "yarn", "factors", "wavelengths"]

  /// Whether the objects are those of our own layout.
  var isOwn: Bool { types == Self.own }
}

/// How a configuration says its rotary embedding.
///
/// Source: `transformers` 5.23, `RotaryEmbeddingConfigMixin`: version 4 writes `rope_theta` and
/// `rope_scaling` (with `type`, later `rope_type`), version 5 one object `rope_parameters`, and files
/// mix them. Tests/Fixtures/fields has logits for each spelling.
extension Configuration {
  /// The rotary embedding of heads of `headDim` channels, the same in all layers.
  ///
  /// - Parameter positions: the longest context.
  func rotary(
    headDim: Int, positions: Int, form: RotaryForm
  ) throws(ConfigurationError) -> RotaryParameters {
    let objects = try rotaryObjects()
    let chosen = objects.first ?? absentRotary(form)
    if objects.count > 1, objects[0].object != objects[1].object {
      record.note(
        "rope_scaling and rope_parameters differ: the former counts, as in transformers 5.")
    }
    let theta = try base(chosen, key: "rope_theta", standard: form.theta)
    let channels = try rotaryChannels(headDim, chosen, form.share)
    let stated = try optionalSize("original_max_position_embeddings") ?? form.originalPositions
    guard let chosen else { return RotaryParameters(theta: theta, channels: channels) }
    var rotary = try chosen.rotaryObject(
      headDim: channels ?? headDim, stated: stated, positions: positions, form: form)
    (rotary.theta, rotary.channels) = (theta, channels)
    return rotary
  }

  /// The objects that are there and say something; the first one counts.
  private func rotaryObjects() throws(ConfigurationError) -> [Configuration] {
    [try nested("rope_scaling"), try nested("rope_parameters")]
      .compactMap(\.self).filter { $0.object.count > 0 }
  }

  /// The object that an absent one means; an empty object is not an absent one.
  private func absentRotary(_ form: RotaryForm) -> Configuration? {
    guard value("rope_parameters") == nil else { return nil }
    return form.absent.map { part($0, at: "rope_parameters") }
  }

  /// The object of the rotary embedding, in which a class looks for keys of its own: empty where there
  /// is none.
  func rotaryKeys(_ form: RotaryForm) throws(ConfigurationError) -> Configuration {
    try rotaryObjects().first ?? absentRotary(form) ?? part(JSONObject(), at: "rope_parameters")
  }

  /// The rotary embeddings of layers with full attention and of those with a window, in classes whose
  /// `rope_parameters` has an object for each; older files have `rope_scaling`, for the former alone.
  ///
  /// - Parameters:
  ///   - slidingBase: the key at the top of the base of layers with a window, if there is one, and what
  ///     absent ones mean.
  func rotaryByKind(
    headDim: Int, positions: Int, form: RotaryForm, slidingBase: (key: String?, standard: Double)
  ) throws(ConfigurationError) -> (full: RotaryParameters, sliding: RotaryParameters) {
    let kinds = ["full_attention", "sliding_attention"]
    let older = try nested("rope_scaling").flatMap { $0.object.count > 0 ? $0 : nil }
    let objects = try nested("rope_parameters")
    // Named by some files, but of no use to these classes.
    record.ask("original_max_position_embeddings")
    _ = try rotaryChannels(headDim, nil, .all)
    if let objects {
      if let other = objects.object.keys.first(where: { !kinds.contains($0) }) {
        throw .unsupported(
          key: objects.name(other),
          value: String((objects.object[other] ?? .null).compact.prefix(60)),
          reason: "rope_parameters has an object for each of \(kinds.joined(separator: " and "))",
          file: file)
      }
      guard older == nil else {
        throw .unsupported(
          key: "rope_scaling", value: "an object", reason: "rope_parameters says the same",
          file: file)
      }
    }
    // As an addition to an object that has the type "default", it would change nothing.
    if let older, older.value("rope_type") == nil, let kind = older.value("type") {
      guard kind.string == "default" else {
        throw .unsupported(
          key: older.name("type"), value: kind.compact,
          reason: "versions of transformers read it differently; call it rope_type", file: file)
      }
    }
    func parameters(
      _ object: Configuration?, base key: String?, _ standard: Double
    ) throws(ConfigurationError) -> RotaryParameters {
      let theta = try base(object, key: key, standard: standard)
      guard let object else { return RotaryParameters(theta: theta) }
      _ = try rotaryChannels(headDim, object, .all)
      if try !object.bool("truncate", default: true) {
        throw .unsupported(
          key: object.name("truncate"), value: "false",
          reason: "transformers does not read it where layers differ", file: file)
      }
      var rotary = try object.rotaryObject(
        headDim: headDim, stated: nil, positions: positions, form: form)
      rotary.theta = theta
      return rotary
    }
    return (
      try parameters(objects?.nested(kinds[0]) ?? older, base: "rope_theta", form.theta),
      try parameters(
        objects?.nested(kinds[1]), base: slidingBase.key, slidingBase.standard)
    )
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

  /// `rope_theta` of the object, else `key` of the top, else `standard`.
  private func base(
    _ chosen: Configuration?, key: String?, standard: Double
  ) throws(ConfigurationError) -> Double {
    let places = [(chosen, "rope_theta"), (key == nil ? nil : self, key ?? "")]
      .filter { $0.0?.object[$0.1] != nil }
    guard let (first, own) = places.first, let place = first else { return standard }
    guard place.value(own) != nil else { throw place.wrongType(own, "a number", .null) }
    let base = try place.positive(own, default: standard)
    if places.count > 1, let key, try positive(key, default: base) != base {
      record.note(
        "\(place.name(own)) is \(base), \(name(key)) beside it another: the former counts, as in "
          + "transformers 5.")
    }
    return base
  }
}
