import Mixers
import TensorTypes

extension ModelDescription {
  /// Everything the model computes with, as text, a line each; a saved state is known by it.
  ///
  /// Two descriptions have the same key when the same weights give the same numbers under both. It
  /// is spelt out here, so that it does not change with the names of properties and types. What
  /// changes no number is left out: the model's type, the context it was made for, special tokens.
  /// A line never changes once states may have been saved by it; what is new gets a line of its own,
  /// which is missing while it has the value that models had before.
  public var key: String {
    var lines = [
      "vocabulary \(vocabularySize)", "hidden \(hiddenSize)", "feed-forward \(feedForwardSize)",
      "heads \(heads) of \(headDim), \(keyValueHeads) for keys and values",
      "norm epsilon \(normEpsilon)", "branch norm epsilon \(branchNormEpsilon)",
      "biases qkv \(biases.queryKeyValue), o \(biases.output), ffn \(biases.feedForward)",
      "query and key norm \(hasQueryKeyNorm)", "tied embeddings \(tiesEmbeddings)",
      "rotary \(rotary.key)", "sinks \(sinkCount)",
    ]
    if let quantization {
      let codes = quantization.codes.rawValue
      switch quantization.granularity {
      case .channel: lines.append("\(codes) per channel")
      case .group(let size): lines.append("\(codes) per group of \(size)")
      }
    }
    lines += decoderKeyLines
    for (index, layer) in layers.enumerated() {
      lines.append("layer \(index) \(layer.mixer.key), \(layer.feedForward.key)\(layer.rotary.key)")
    }
    return (lines + (spiking?.keyLines ?? [])).joined(separator: "\n") + "\n"
  }
}

extension ModelDescription {
  /// What decoders have that are not like Llama; nothing where a model has none of it.
  private var decoderKeyLines: [String] {
    [
      queryKeyNorm == .whole ? "query and key norm over all channels" : nil,
      normPlacement == .before ? nil : "norms \(normPlacement.rawValue)",
      normsAddOne ? "norms of one and a weight" : nil,
      activation == .silu ? nil : "activation \(activation.rawValue)",
      multipliers == Multipliers()
        ? nil
        : "multipliers \(multipliers.embedding) \(multipliers.residual) "
          + "\(multipliers.scores.map { "\($0)" } ?? "none") \(multipliers.logits)",
      softCaps == SoftCaps()
        ? nil
        : "soft caps \(softCaps.scores.map { "\($0)" } ?? "none") "
          + (softCaps.logits.map { "\($0)" } ?? "none"),
    ].compactMap(\.self)
  }
}

extension LayerRotary {
  fileprivate var key: String {
    switch self {
    case .shared: ""
    case .none: ", no rotary"
    case .own(let parameters): ", rotary \(parameters.key)"
    }
  }
}

extension RotaryParameters {
  fileprivate var key: String {
    // The limit changes no number: longer texts are refused.
    let part =
      (channels.map { " of \($0) channels" } ?? "") + (magnitude == 1 ? "" : " times \(magnitude)")
    switch scaling {
    case .none: return "\(theta)" + part
    case .linear(let factor): return "\(theta) linear \(factor)" + part
    case .llama3(let factor, let low, let high, let positions):
      return "\(theta) llama3 \(factor) \(low) \(high) \(positions)" + part
    case .yarn(let factor, let fast, let slow, let truncates, let positions):
      return "\(theta) yarn \(factor) \(fast) \(slow) \(truncates) \(positions)" + part
    case .wavelengths(let factors):
      return "\(theta) wavelengths " + factors.map { "\($0)" }.joined(separator: " ") + part
    case .divisors(let divisors):
      return "\(theta) divisors " + divisors.map { "\($0)" }.joined(separator: " ") + part
    }
  }
}

extension FeedForward {
  fileprivate var key: String {
    switch self {
    case .dense: "dense"
    case .experts(let e):
      "experts \(e.routed) of \(e.size), \(e.chosen) chosen, weights \(e.weighting.rawValue), "
        + "\(e.shared) shared of \(e.sharedSize)"
    }
  }
}

extension SpikingSettings {
  /// The coding changes no number.
  fileprivate var keyLines: [String] {
    var lines = ["cache \(cache.rawValue)"]
    if let winners { lines.append("winners \(winners)") }
    for (index, layer) in layers.enumerated() {
      lines.append("spikes \(index) \(layer.thresholds.key)")
      for (expert, thresholds) in layer.experts.enumerated() {
        if let thresholds { lines.append("spikes \(index) expert \(expert) \(thresholds.key)") }
      }
      if let shared = layer.sharedExpert { lines.append("spikes \(index) shared \(shared.key)") }
    }
    return lines
  }
}

extension SpikingSettings.Thresholds {
  fileprivate var key: String {
    spiked.map { "\($0.rawValue) \(self[$0] ?? 0)" }.joined(separator: ", ")
  }
}
