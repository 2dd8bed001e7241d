public import StrictJSON

/// The `spiking` object of our own layout's configuration.
extension SpikingSettings {
  /// The k that a configuration may hold.
  public static let thresholdRange: ClosedRange<Double> = 1.0 / 1024...1024

  /// The object that describes these settings.
  public var configuration: JSONValue {
    var object = JSONObject([
      ("coding", .string(coding.rawValue)), ("kv_cache", .string(cache.rawValue)),
    ])
    if let winners { object["winners"] = .double(winners) }
    object["layers"] = .array(layers.map(\.configuration))
    return .object(object)
  }

  /// Reads the settings of a model whose layers are known.
  public init(_ config: Configuration, of model: ModelDescription) throws(ConfigurationError) {
    try config.check(keys: ["coding", "kv_cache", "winners", "layers"], of: "spiking")
    coding = try config.choice("coding", default: .bitwise)
    cache = try config.choice("kv_cache", default: .float32)
    winners = try config.share("winners")
    guard let entries = config.value("layers")?.array, entries.count == model.layers.count else {
      throw .inconsistent(
        "\"spiking\" needs \"layers\" with one entry for each of the \(model.layers.count) layers",
        file: config.file)
    }
    layers = []
    for (index, entry) in entries.enumerated() {
      layers.append(try Layer(entry, layer: index, of: model, file: config.file))
    }
  }
}

extension SpikingSettings.Layer {
  private static let expertsKey = "experts", sharedKey = "shared_expert"

  var configuration: JSONValue {
    var object = thresholds.configuration
    if !experts.isEmpty {
      object[Self.expertsKey] = .array(
        experts.map { $0.map { .object($0.configuration) } ?? .null })
    }
    if let sharedExpert { object[Self.sharedKey] = .object(sharedExpert.configuration) }
    return .object(object)
  }

  init(
    _ value: JSONValue, layer: Int, of model: ModelDescription, file: String
  ) throws(ConfigurationError) {
    let place = "spiking.layers[\(layer)]"
    let sites = model.spikingSites(ofLayer: layer)
    let own = Set(sites.map(\.projection))
    let parts = model.layers[layer].feedForward.experts
    var extra: [String] = []
    if let parts { extra = [Self.expertsKey] + (parts.shared > 0 ? [Self.sharedKey] : []) }
    thresholds = try .init(value, allowed: own, extra: extra, at: place, file: file)
    let inside = own.filter(\.isFeedForward)
    experts = []
    if let list = value[Self.expertsKey], !list.isNull {
      guard let list = list.array, list.count == parts?.routed else {
        throw .inconsistent(
          "\"\(place).\(Self.expertsKey)\" needs one entry for each routed expert", file: file)
      }
      for (index, entry) in list.enumerated() {
        experts.append(
          entry.isNull
            ? nil
            : try .init(
              entry, allowed: inside, at: "\(place).\(Self.expertsKey)[\(index)]", file: file))
      }
    }
    if let shared = value[Self.sharedKey], !shared.isNull {
      sharedExpert = try .init(
        shared, allowed: inside, at: "\(place).\(Self.sharedKey)", file: file)
    }
  }
}

extension SpikingSettings.Thresholds {
  var configuration: JSONObject {
    JSONObject(
      spiked.map { projection in
        (projection.rawValue, self[projection].map { .double($0) } ?? .null)
      })
  }

  fileprivate init(
    _ value: JSONValue, allowed: Set<SpikingSettings.Projection>, extra: [String] = [],
    at place: String, file: String
  ) throws(ConfigurationError) {
    guard let object = value.object else {
      throw .wrongType(
        key: place, expected: "an object", got: String(value.compact.prefix(60)), file: file)
    }
    self.init()
    for (key, value) in object.members where !extra.contains(key) {
      guard let projection = SpikingSettings.Projection(rawValue: key),
        allowed.contains(projection)
      else {
        let known = SpikingSettings.Projection.allCases.filter(allowed.contains).map(\.rawValue)
        throw .unsupported(
          key: place, value: key,
          reason: "this layer has \((known + extra).joined(separator: ", "))", file: file)
      }
      if value.isNull { continue }
      guard let k = value.double else {
        throw .wrongType(
          key: "\(place).\(key)", expected: "a number or null",
          got: String(value.compact.prefix(60)), file: file)
      }
      guard SpikingSettings.thresholdRange.contains(k) else {
        throw .outOfRange(
          key: "\(place).\(key)", value: value.compact, expected: "1/1024 to 1024", file: file)
      }
      self[projection] = k
    }
  }
}

extension Configuration {
  /// Throws when the object has a key besides `keys`.
  fileprivate func check(keys: [String], of name: String) throws(ConfigurationError) {
    guard let unknown = object.keys.first(where: { !keys.contains($0) }) else { return }
    throw .unsupported(
      key: name, value: unknown, reason: "known keys: \(keys.joined(separator: ", "))", file: file)
  }

  /// A number above 0, at most 1; nil when absent.
  fileprivate func share(_ key: String) throws(ConfigurationError) -> Double? {
    guard let value = value(key) else { return nil }
    guard let share = value.double else {
      throw .wrongType(
        key: key, expected: "a number", got: String(value.compact.prefix(60)), file: file)
    }
    guard share > 0, share <= 1 else {
      throw .outOfRange(key: key, value: value.compact, expected: "above 0, at most 1", file: file)
    }
    return share
  }

  /// One of the values of an enumeration by name.
  fileprivate func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ key: String, default fallback: Choice
  ) throws(ConfigurationError) -> Choice {
    guard value(key) != nil else { return fallback }
    let name = try string(key)
    guard let choice = Choice(rawValue: name) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw .unsupported(key: key, value: name, reason: "known: \(known)", file: file)
    }
    return choice
  }
}
