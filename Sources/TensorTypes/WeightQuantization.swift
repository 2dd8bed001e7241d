/// How weights are kept as small integers: W = code · scale.
public struct WeightQuantization: Sendable, Hashable {
  /// What the integers are.
  public var codes: WeightCodes
  /// How inputs share scales.
  public var granularity: ScaleGranularity

  /// Codes of a kind, scaled so.
  public init(_ codes: WeightCodes, _ granularity: ScaleGranularity) {
    self.codes = codes
    self.granularity = granularity
  }

  /// `INT8, group 128`, for people.
  public var text: String { "\(codes.text), \(granularity.text)" }
}

/// The integers that weights are kept as.
public enum WeightCodes: String, Sendable, Hashable, CaseIterable {
  /// A byte each, within ±127: -128 has no counterpart.
  case int8
  /// Two in a byte, -8 to 7: code + 8, the even column's in the lower half.
  case int4

  /// The least and the greatest code.
  public var range: ClosedRange<Int8> {
    switch self {
    case .int8: -127...127
    case .int4: -8...7
    }
  }

  /// The code of the largest magnitude when it is rounded to nearest by a scale of its own.
  public var largest: Int8 { range.upperBound }

  /// The type of tensors of codes.
  public var type: ScalarType {
    switch self {
    case .int8: .int8
    case .int4: .uint8
    }
  }

  /// Codes in one element of such a tensor.
  public var perElement: Int {
    switch self {
    case .int8: 1
    case .int4: 2
    }
  }

  /// The kind whose tensors are of `type`; nil for tensors of no codes.
  public init?(type: ScalarType?) {
    guard let found = Self.allCases.first(where: { $0.type == type }) else { return nil }
    self = found
  }

  /// The codes in bytes as tensors hold them.
  public func unpacked(_ bytes: some Sequence<UInt8>) -> [Int8] {
    switch self {
    case .int8: bytes.map(Int8.init(bitPattern:))
    case .int4: bytes.flatMap { [Int8($0 & 15) - 8, Int8($0 >> 4) - 8] }
    }
  }

  /// The byte of two codes of 4 bits.
  public static func pair(_ lower: Int8, _ upper: Int8) -> UInt8 {
    UInt8(lower + 8) | UInt8(upper + 8) << 4
  }

  /// The type of GGUF blocks that hold such codes, each block with a float16 scale.
  public var blocks: ScalarType {
    switch self {
    case .int8: .q8_0
    case .int4: .q4_0
    }
  }

  /// Bits of a code.
  public var bits: Int { 8 / perElement }

  /// `INT8`, for people.
  public var text: String { rawValue.uppercased() }
}
