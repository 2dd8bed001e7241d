import Foundation
import StrictJSON

/// What an object that is one rotary embedding, such as `rope_scaling`, says beside its base.
///
/// Source: `transformers` 5.23, `modeling_rope_utils`.
extension Configuration {
  /// The scaling, magnitude and limit of this object.
  ///
  /// - Parameters:
  ///   - headDim: channels that turn.
  ///   - stated: the length that ramps refer to, where the whole configuration states it.
  ///   - positions: the longest context.
  func rotaryObject(
    headDim: Int, stated: Int?, positions: Int, form: RotaryForm
  ) throws(ConfigurationError) -> RotaryParameters {
    let key = value("rope_type") != nil ? "rope_type" : "type"
    let kind = value(key) == nil ? "default" : try string(key)
    if value("type") != nil, try string("type") != kind {
      record.note("\(name("type")) and rope_type differ: the latter counts, as in transformers.")
    }
    for key in form.ownKeys { record.ask(key) }
    guard kind == "none" || form.types.contains(kind) else {
      throw .unsupported(
        key: name(key), value: kind, reason: "known types: \(form.types.joined(separator: ", "))",
        file: file)
    }
    var rotary = RotaryParameters(theta: form.theta)
    switch kind {
    case "linear": rotary.scaling = .linear(factor: try requiredPositive("factor"))
    case "dynamic":
      // Up to the length that it was trained with nothing changes, beyond it the base does.
      _ = try requiredPositive("factor")
      guard headDim > 2 else {
        throw .unsupported(
          key: name(key), value: kind, reason: "needs more than 2 channels that turn", file: file)
      }
      rotary.limit = positions
    case "yarn": try readYarn(&rotary, original: originalPositions(stated) ?? positions, form)
    case "longrope": try readLongRope(&rotary, headDim: headDim, stated, positions)
    case "llama3":
      rotary.scaling = .llama3(
        factor: try requiredPositive("factor"), low: try requiredPositive("low_freq_factor"),
        high: try requiredPositive("high_freq_factor"),
        originalPositions: try originalPositions(stated) ?? positions)
    case "factors": rotary.scaling = .divisors(try factors("factors", count: headDim / 2))
    case "wavelengths": rotary.scaling = .wavelengths(try factors("factors", count: headDim / 2))
    default:
      // Written beside it by some versions, and 1 where it is.
      if object["factor"]?.double == 1 { record.ask("factor") }
    }
    if form.isOwn {
      rotary.magnitude = try positive(
        RotaryParameters.magnitudeKey, default: rotary.magnitude)
      rotary.limit = try optionalSize(RotaryParameters.limitKey)
    }
    try refuseRest(of: kind)
    return rotary
  }

  /// The length of the texts that the frequencies were made for; nil where nothing states it.
  private func originalPositions(_ stated: Int?) throws(ConfigurationError) -> Int? {
    let key = "original_max_position_embeddings"
    let own = try optionalSize(key)
    if let stated, let own, stated != own {
      record.note(
        "\(name(key)) is \(own), the key at the top or its class says \(stated): the latter counts, as "
          + "in transformers 5.")
    }
    return stated ?? own
  }

  private func readYarn(
    _ rotary: inout RotaryParameters, original: Int, _ form: RotaryForm
  ) throws(ConfigurationError) {
    let factor = try requiredPositive("factor")
    rotary.scaling = .yarn(
      factor: factor, fast: try positive("beta_fast", default: 32),
      slow: try positive("beta_slow", default: 1), truncates: try bool("truncate", default: true),
      originalPositions: original)
    func magnitude(_ scale: Double) -> Double {
      factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1
    }
    let scales = [try optionalPositive("mscale"), try optionalPositive("mscale_all_dim")]
    let stated = try optionalPositive(RotaryParameters.magnitudeKey)
    if let stated {
      rotary.magnitude = stated
    } else if let above = scales[0], let below = scales[1] {
      rotary.magnitude = magnitude(above) / magnitude(below)
    } else {
      rotary.magnitude = magnitude(1)
    }
  }

  /// LongRoPE has factors for texts up to the original length and others for longer ones, which turn
  /// every token otherwise: the former are read, and the latter refused when there is such a text.
  private func readLongRope(
    _ rotary: inout RotaryParameters, headDim: Int, _ stated: Int?, _ positions: Int
  ) throws(ConfigurationError) {
    let original = try originalPositions(stated) ?? positions
    rotary.scaling = .wavelengths(try factors("short_factor", count: headDim / 2))
    _ = try factors("long_factor", count: headDim / 2)
    rotary.limit = original
    let factor = try optionalPositive("factor") ?? Double(positions) / Double(original)
    if let stated = try optionalPositive(RotaryParameters.magnitudeKey) {
      rotary.magnitude = stated
    } else if factor > 1 {
      guard original > 1 else {
        throw .outOfRange(
          key: name("original_max_position_embeddings"), value: "\(original)",
          expected: "more than 1", file: file)
      }
      rotary.magnitude = (1 + log(factor) / log(Double(original))).squareRoot()
    }
  }

  /// The positive numbers, `count` of them, at `key`.
  private func factors(_ key: String, count: Int) throws(ConfigurationError) -> [Float] {
    guard let list = value(key) else { throw .missingKey(name(key), file: file) }
    let factors = list.array?.compactMap(\.double) ?? []
    guard factors.count == count, list.array?.count == count,
      factors.allSatisfy({ $0 > 0 && $0.isFinite })
    else {
      throw .outOfRange(
        key: name(key), value: "\(factors.count) numbers", expected: "\(count) positive numbers",
        file: file)
    }
    return factors.map(Float.init)
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
}
