import StrictJSON
public import TensorTypes

extension ModelDescription {
  /// The projections that INT8 models keep in INT8. Decay gates, routers, embeddings and the head
  /// stay in floating point.
  public static let quantizedRoles: Set<TensorAddress.Role> = [
    .query, .key, .value, .output, .ffnGate, .ffnUp, .ffnDown,
  ]

  /// How the codes of the weight at `address` are scaled; nil when it is in floating point.
  public func scales(of address: TensorAddress) -> ScaleGranularity? {
    ModelDescription.quantizedRoles.contains(address.role) ? quantization : nil
  }

  /// A matrix, and its scales when it is in INT8.
  func matrix(_ address: TensorAddress, _ shape: Shape) -> [Requirement] {
    guard let granularity = scales(of: address) else {
      return [Requirement(address: address, shape: shape)]
    }
    var scale = address
    scale.parameter = .scale
    return [
      Requirement(address: address, shape: shape, type: .int8),
      Requirement(
        address: scale, shape: [shape.rows, granularity.scales(columns: shape.columns)],
        type: .float32),
    ]
  }
}

/// The `quantization` object of our own layout's configuration.
extension Configuration {
  private static let keys = ["weights", "group_size"]

  /// How INT8 weights are scaled.
  func quantization() throws(ConfigurationError) -> ScaleGranularity {
    if let unknown = object.keys.first(where: { !Self.keys.contains($0) }) {
      throw .unsupported(
        key: "quantization", value: unknown,
        reason: "known keys: \(Self.keys.joined(separator: ", "))", file: file)
    }
    let weights = try string("weights")
    guard weights == "int8" else {
      throw .unsupported(
        key: "quantization.weights", value: weights, reason: "known: int8", file: file)
    }
    guard let size = value("group_size") else {
      throw .missingKey("quantization.group_size", file: file)
    }
    if size.string == "channel" { return .channel }
    guard let count = size.int, ScaleGranularity.groupSizes.contains(count) else {
      let known = ScaleGranularity.groupSizes.map(String.init).joined(separator: ", ")
      throw .unsupported(
        key: "quantization.group_size", value: String(size.compact.prefix(60)),
        reason: "known: \(known) and \"channel\"", file: file)
    }
    return .group(count)
  }
}

extension ScaleGranularity {
  /// The object that describes INT8 weights.
  var configuration: JSONValue {
    let size: JSONValue = if case .group(let size) = self { .int(size) } else { "channel" }
    return ["weights": "int8", "group_size": size]
  }
}
