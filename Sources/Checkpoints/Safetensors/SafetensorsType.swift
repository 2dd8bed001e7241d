public import TensorTypes

extension ScalarType {
  /// The name used in safetensors headers and in manifests: `BF16`, `I8`, … For quantised types
  /// the name GGML uses (`Q4_K`), which no safetensors header may hold.
  public var storedName: String {
    switch self {
    case .float64: "F64"
    case .float32: "F32"
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .int64: "I64"
    case .int32: "I32"
    case .int16: "I16"
    case .int8: "I8"
    case .uint8: "U8"
    case .bool: "BOOL"
    case .float8_e4m3: "F8_E4M3"
    case .float8_e5m2: "F8_E5M2"
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q4_K, .q5_K, .q6_K, .q2_K, .q3_K, .iq4_nl, .iq4_xs,
      .mxfp4, .tq1_0, .tq2_0, .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs, .iq2_s, .iq3_xxs, .iq3_s:
      rawValue.uppercased()
    }
  }

  /// The type with the given stored name, or nil.
  public init?(storedName: String) {
    guard let type = ScalarType.byStoredName[storedName] else { return nil }
    self = type
  }

  private static let byStoredName = Dictionary(
    uniqueKeysWithValues: allCases.map { ($0.storedName, $0) })
}
