public import Architectures

/// How a spike count is sent over virtual steps (SpikingBrain report, section 3.3).
///
/// A step carries -1, 0 or 1 per channel. Binary and ternary steps all weigh 1; the others weigh
/// powers of two, most significant first.
public enum SpikeCoding: String, Sendable, CaseIterable {
  /// One spike per unit; counts from 0.
  case binary
  /// One spike of the count's sign per unit.
  case ternary
  /// The bits of the count; counts from 0.
  case bitwiseUnsigned = "bitwise-unsigned"
  /// The bits of the magnitude, each with the sign of the count; the report's default.
  case bitwise
  /// The bits of the two's complement, one more than the magnitude has; the first weighs negative.
  case twosComplement = "twos-complement"
  /// Signed digits of which no two neighbours are set (canonical recoding): the fewest spikes a
  /// power-of-two coding can have.
  case signedDigit = "signed-digit"

  /// The coding that a model's settings name.
  public init(_ coding: SpikingSettings.Coding) {
    switch coding {
    case .bitwise: self = .bitwise
    case .ternary: self = .ternary
    case .binary: self = .binary
    case .twosComplement: self = .twosComplement
    }
  }

  /// Whether counts below 0 can be sent.
  public var isSigned: Bool { self != .binary && self != .bitwiseUnsigned }

  /// Whether every step weighs 1.
  public var isUnary: Bool { self == .binary || self == .ternary }

  /// The steps that `count` needs by itself; 0 is sent in none, or in one sign bit.
  public func steps(of count: Int32) -> Int {
    switch self {
    case .binary, .ternary: Int(count.magnitude)
    case .bitwiseUnsigned, .bitwise: bits(count)
    case .twosComplement: bits(count) + 1
    case .signedDigit: Digits(count).length
    }
  }

  /// The spikes of `count`, sent in the steps that it needs by itself.
  public func spikes(of count: Int32) -> Int {
    switch self {
    case .binary, .ternary: Int(count.magnitude)
    case .bitwiseUnsigned, .bitwise: count.magnitude.nonzeroBitCount
    case .twosComplement: pattern(count, steps: steps(of: count)).nonzeroBitCount
    case .signedDigit: Digits(count).spikes
    }
  }

  /// What step `step` of `steps` weighs.
  public func weight(step: Int, of steps: Int) -> Int64 {
    if isUnary { return 1 }
    let weight = Int64(1) << (steps - 1 - step)
    return self == .twosComplement && step == 0 ? -weight : weight
  }

  private func bits(_ count: Int32) -> Int {
    UInt32.bitWidth - count.magnitude.leadingZeroBitCount
  }

  /// The lowest `steps` bits of the two's complement.
  func pattern(_ count: Int32, steps: Int) -> UInt64 {
    UInt64(bitPattern: Int64(count)) & (UInt64(1) << steps - 1)
  }

  /// The canonical signed digits of a count: bit i of `positive` or `negative` is digit i.
  struct Digits {
    let positive: UInt64
    let negative: UInt64

    init(_ count: Int32) {
      // Adding half of a number to it makes runs of ones carry: where the sum differs from the
      // half there is a digit.
      let half = UInt64(count.magnitude) >> 1
      let sum = UInt64(count.magnitude) + half
      let plus = sum & ~half, minus = half & ~sum
      (positive, negative) = count < 0 ? (minus, plus) : (plus, minus)
    }

    var spikes: Int { (positive | negative).nonzeroBitCount }
    var length: Int { UInt64.bitWidth - (positive | negative).leadingZeroBitCount }
  }
}
