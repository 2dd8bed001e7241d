import StrictJSON

/// The keys of version 2: what decoders have that are not like Llama.
extension SpikingBrainLayout {
  /// The keys that `model` needs; none for a model like Llama.
  static func decoderFeatures(of model: ModelDescription) -> JSONObject {
    var keys = JSONObject()
    func set<Value: Equatable>(
      _ key: String, _ value: Value, unless usual: Value, _ json: (Value) -> JSONValue
    ) {
      if value != usual { keys[key] = json(value) }
    }
    func set(_ key: String, _ number: Double?) { keys[key] = number.map { .double($0) } }
    set("norm_placement", model.normPlacement, unless: .before) { .string($0.rawValue) }
    set("norm_add_one", model.normsAddOne, unless: false) { .bool($0) }
    set("hidden_act", model.activation, unless: .silu) { .string($0.configured) }
    if model.queryKeyNorm == .whole { keys["qk_norm"] = "whole" }
    set("rotary_dim", model.rotary.channels ?? model.headDim, unless: model.headDim) { .int($0) }
    set("layer_rotary", model.layers.map(\.rotary), unless: model.layers.map { _ in .shared }) {
      .array($0.map(\.configuration))
    }
    let factors = model.multipliers
    set("embedding_multiplier", factors.embedding, unless: 1) { .double($0) }
    set("residual_multiplier", factors.residual, unless: 1) { .double($0) }
    set("attention_multiplier", factors.scores)
    set("logits_multiplier", factors.logits, unless: 1) { .double($0) }
    set("attn_logit_softcapping", model.softCaps.scores)
    set("final_logit_softcapping", model.softCaps.logits)
    return keys
  }
}

extension Configuration {
  /// Adds to `model` what the keys of version 2 say.
  func readDecoderFeatures(_ model: inout ModelDescription) throws(ConfigurationError) {
    model.normPlacement = try choice("norm_placement", default: .before)
    model.normsAddOne = try bool("norm_add_one", default: false)
    if value("qk_norm")?.string == "whole" {
      model.queryKeyNorm = .whole
    } else {
      model.queryKeyNorm = try bool("qk_norm", default: false) ? .perHead : .none
    }
    model.multipliers.embedding = try positive("embedding_multiplier", default: 1)
    model.multipliers.residual = try positive("residual_multiplier", default: 1)
    model.multipliers.scores = try optionalPositive("attention_multiplier")
    model.multipliers.logits = try positive("logits_multiplier", default: 1)
    model.softCaps.scores = try optionalPositive("attn_logit_softcapping")
    model.softCaps.logits = try optionalPositive("final_logit_softcapping")
    try readLayerRotary(&model)
  }

  /// One of the values that `key` may have, by their names.
  private func choice<Value: RawRepresentable & CaseIterable>(
    _ key: String, default fallback: Value
  ) throws(ConfigurationError) -> Value where Value.RawValue == String {
    guard value(key) != nil else { return fallback }
    let name = try string(key)
    guard let found = Value(rawValue: name) else {
      throw .unsupported(
        key: key, value: name,
        reason: "known: \(Value.allCases.map(\.rawValue).joined(separator: ", "))", file: file)
    }
    return found
  }

  /// `layer_rotary`: per layer null, "none" or an object as `rotary` reads it.
  private func readLayerRotary(_ model: inout ModelDescription) throws(ConfigurationError) {
    let key = "layer_rotary"
    guard let list = value(key) else { return }
    guard let entries = list.array, entries.count == model.layers.count else {
      throw wrongType(key, "a list with an entry for each of \(model.layers.count) layers", list)
    }
    for (layer, entry) in entries.enumerated() {
      if entry.isNull { continue }
      if entry.string == "none" {
        model.layers[layer].rotary = .none
      } else if let object = entry.object {
        let known = ["rope_theta", "rope_scaling", "rotary_dim"]
        if let other = object.keys.first(where: { !known.contains($0) }) {
          throw .unsupported(
            key: key, value: other, reason: "known keys: \(known.joined(separator: ", "))",
            file: file)
        }
        model.layers[layer].rotary = .own(
          try part(object, at: "\(key)[\(layer)]").rotary(
            headDim: model.headDim, positions: model.maximumPositions,
            form: SpikingBrainLayout.ownRotary))
      } else {
        throw wrongType("\(key)[\(layer)]", "null, \"none\" or an object", entry)
      }
    }
  }
}

extension LayerRotary {
  /// The entry of `layer_rotary`.
  fileprivate var configuration: JSONValue {
    switch self {
    case .shared: return .null
    case .none: return "none"
    case .own(let parameters):
      var object = JSONObject([
        ("rope_theta", .double(parameters.theta)),
        ("rope_scaling", parameters.scalingObject),
      ])
      object["rotary_dim"] = parameters.channels.map { .int($0) }
      return .object(object)
    }
  }
}
