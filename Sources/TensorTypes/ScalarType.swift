/// The element type of a stored tensor: plain numbers, or GGML quantised blocks.
///
/// Quantised types store `blockElements` consecutive elements of a row in `blockBytes` bytes.
/// Source of the block sizes: the GGUF specification (ggml-quants).
public enum ScalarType: String, Sendable, Hashable, CaseIterable {
  case float64, float32, float16, bfloat16
  /// Weights of FP8 checkpoints, which are shown with their scales applied.
  case float8_e4m3, float8_e5m2
  case int64, int32, int16, int8, uint8, bool
  case q4_0, q4_1, q5_0, q5_1, q8_0, q4_K, q5_K, q6_K
  case q2_K, q3_K, iq4_nl, iq4_xs, mxfp4, tq1_0, tq2_0
  case iq1_s, iq1_m, iq2_xxs, iq2_xs, iq2_s, iq3_xxs, iq3_s

  /// Elements per block: 1 for plain types.
  public var blockElements: Int {
    switch self {
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .iq4_nl, .mxfp4: 32
    case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_xs, .tq1_0, .tq2_0: 256
    case .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs, .iq2_s, .iq3_xxs, .iq3_s: 256
    default: 1
    }
  }

  /// Bytes per block: the element size for plain types.
  public var blockBytes: Int {
    switch self {
    case .float64, .int64: 8
    case .float32, .int32: 4
    case .float16, .bfloat16, .int16: 2
    case .int8, .uint8, .bool, .float8_e4m3, .float8_e5m2: 1
    case .q4_0: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q8_0: 34
    case .q4_K: 144
    case .q5_K: 176
    case .q6_K: 210
    case .q2_K: 84
    case .q3_K: 110
    case .iq4_nl: 18
    case .iq4_xs: 136
    case .mxfp4: 17
    case .tq1_0: 54
    case .tq2_0, .iq2_xxs: 66
    case .iq1_s: 50
    case .iq1_m: 56
    case .iq2_xs: 74
    case .iq2_s: 82
    case .iq3_xxs: 98
    case .iq3_s: 110
    }
  }

  /// Whether elements are stored in quantised blocks.
  public var isQuantised: Bool { blockElements > 1 }

  /// Whether this is one of the floating-point types that weights are kept in.
  public var isFloat: Bool {
    switch self {
    case .float64, .float32, .float16, .bfloat16: true
    default: false
    }
  }

  /// Bytes of `elements` consecutive elements, or nil when they are no whole number of blocks or
  /// the size overflows.
  public func byteCount(elements: Int) -> Int? {
    guard elements >= 0, elements % blockElements == 0 else { return nil }
    let (bytes, overflow) = (elements / blockElements).multipliedReportingOverflow(by: blockBytes)
    return overflow ? nil : bytes
  }
}
