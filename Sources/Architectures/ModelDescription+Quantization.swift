import StrictJSON
public import TensorTypes

extension ModelDescription {
  /// The projections that quantised models keep as integers. Decay gates, routers, embeddings and the
  /// head stay in floating point.
  public static let quantizedRoles: Set<TensorAddress.Role> = [
    .query, .key, .value, .output, .ffnGate, .ffnUp, .ffnDown,
  ]

  /// How the weight at `address` is kept as integers; nil when it is in floating point.
  public func quantization(of address: TensorAddress) -> WeightQuantization? {
    ModelDescription.quantizedRoles.contains(address.role) ? quantization : nil
  }

  /// A matrix, and its scales when it is quantised.
  func matrix(_ address: TensorAddress, _ shape: Shape) -> [Requirement] {
    guard let quantization = quantization(of: address) else {
      return [Requirement(address: address, shape: shape)]
    }
    var scale = address
    scale.parameter = .scale
    let codes = quantization.codes
    return [
      Requirement(
        address: address, shape: [shape.rows, shape.columns / codes.perElement], type: codes.type),
      Requirement(
        address: scale,
        shape: [shape.rows, quantization.granularity.scales(columns: shape.columns)],
        type: .float32),
    ]
  }

  /// Why this model's projections cannot be kept as `quantization` says; nil when they can.
  public func obstacle(to quantization: WeightQuantization) -> String? {
    let per = quantization.codes.perElement
    guard per > 1 else { return nil }
    var plain = self
    plain.quantization = nil
    return plain.requirements.first {
      Self.quantizedRoles.contains($0.address.role) && $0.address.parameter == .weight
        && !$0.shape.columns.isMultiple(of: per)
    }.map {
      "\(quantization.codes.text) needs an even number of inputs, and a projection has "
        + "\($0.shape.columns)"
    }
  }
}

/// The `quantization` object of our own layout's configuration.
extension Configuration {
  private static let keys = ["weights", "group_size"]

  /// How weights are kept as integers.
  func quantization() throws(ConfigurationError) -> WeightQuantization {
    if let unknown = object.keys.first(where: { !Self.keys.contains($0) }) {
      throw .unsupported(
        key: "quantization", value: unknown,
        reason: "known keys: \(Self.keys.joined(separator: ", "))", file: file)
    }
    let weights = try string("weights")
    guard let codes = WeightCodes(rawValue: weights) else {
      let known = WeightCodes.allCases.map(\.rawValue).joined(separator: ", ")
      throw .unsupported(
        key: "quantization.weights", value: weights, reason: "known: \(known)", file: file)
    }
    guard let size = value("group_size") else {
      throw .missingKey("quantization.group_size", file: file)
    }
    if size.string == "channel" { return WeightQuantization(codes, .channel) }
    guard let count = size.int, ScaleGranularity.groupSizes.contains(count) else {
      let known = ScaleGranularity.groupSizes.map(String.init).joined(separator: ", ")
      throw .unsupported(
        key: "quantization.group_size", value: String(size.compact.prefix(60)),
        reason: "known: \(known) and \"channel\"", file: file)
    }
    return WeightQuantization(codes, .group(count))
  }
}

extension WeightQuantization {
  /// The object that describes quantised weights.
  var configuration: JSONValue {
    let size: JSONValue = if case .group(let size) = granularity { .int(size) } else { "channel" }
    return ["weights": .string(codes.rawValue), "group_size": size]
  }
}
