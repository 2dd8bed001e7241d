import TensorTypes

/// The numbers that GGUF files use for tensor types (`enum ggml_type`).
enum GGUFType {
  /// The type with number `id`, or nil when it is unknown or not supported.
  static func scalarType(_ id: UInt32) -> ScalarType? { supported[id] }

  /// The number of `type`, or nil when GGUF files cannot hold it.
  static func id(_ type: ScalarType) -> UInt32? {
    supported.first { $0.value == type }?.key
  }

  /// The name of type `id` for messages.
  static func name(_ id: UInt32) -> String {
    supported[id]?.storedName ?? unsupported[id] ?? "number \(id)"
  }

  private static let supported: [UInt32: ScalarType] = [
    0: .float32, 1: .float16, 2: .q4_0, 3: .q4_1, 6: .q5_0, 7: .q5_1, 8: .q8_0, 10: .q2_K,
    11: .q3_K, 12: .q4_K, 13: .q5_K, 14: .q6_K, 16: .iq2_xxs, 17: .iq2_xs, 18: .iq3_xxs,
    19: .iq1_s, 20: .iq4_nl, 21: .iq3_s, 22: .iq2_s, 23: .iq4_xs, 24: .int8, 25: .int16,
    26: .int32, 27: .int64, 28: .float64, 29: .iq1_m, 30: .bfloat16, 34: .tq1_0, 35: .tq2_0,
    39: .mxfp4,
  ]

  private static let unsupported: [UInt32: String] = [
    4: "Q4_2 (removed)", 5: "Q4_3 (removed)", 9: "Q8_1", 15: "Q8_K",
    31: "Q4_0_4_4 (removed)", 32: "Q4_0_4_8 (removed)",
    33: "Q4_0_8_8 (removed)", 36: "IQ4_NL_4_4 (removed)",
    37: "IQ4_NL_4_8 (removed)", 38: "IQ4_NL_8_8 (removed)", 40: "NVFP4", 41: "Q1_0",
  ]
}
