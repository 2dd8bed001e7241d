import Foundations
import Spiking
import Testing

/// Codings of counts and back.
struct CodingTests {
  /// Counts whose unary codings stay small.
  private static let small: [Int32] = Array(-70...70)
  /// Counts of every size.
  private static let all: [Int32] = {
    var generator = SplitMix64(seed: 4)
    let edges: [Int32] = [.min, .min + 1, .max, .max - 1, 0x5555_5555, -0x5555_5555, 0x2aaa_aaaa]
    return small + edges
      + (0..<500).map { Int32.random(in: .min ... .max, using: &generator) >> ($0 % 31) }
  }()

  @Test(arguments: SpikeCoding.allCases)
  func `decoding is the exact inverse`(_ coding: SpikeCoding) throws {
    var counts = coding.isUnary ? Self.small : Self.all
    if !coding.isSigned { counts = counts.filter { $0 >= 0 } }
    let train = try SpikeTrain(counts, by: coding)
    #expect(train.counts == counts)
    #expect(train.steps == counts.map(coding.steps).max())
    for count in counts {
      let own = try SpikeTrain([count], by: coding)
      #expect(own.counts == [count])
      #expect(own.steps == coding.steps(of: count))
      #expect(own.spikeCount == coding.spikes(of: count))
      // More steps than needed change nothing.
      #expect(try SpikeTrain([count], by: coding, steps: own.steps + 7).counts == [count])
    }
  }

  @Test func `the first step is the most significant`() throws {
    func spikes(_ counts: [Int32], _ coding: SpikeCoding) throws -> [Int8] {
      try SpikeTrain(counts, by: coding).spikes
    }
    #expect(try spikes([6, 1], .bitwiseUnsigned) == [1, 0, 1, 0, 0, 1])
    #expect(try spikes([-6, 1], .bitwise) == [-1, 0, -1, 0, 0, 1])
    #expect(try spikes([-6, 1], .twosComplement) == [1, 0, 0, 0, 1, 0, 0, 1])
    #expect(try spikes([7], .signedDigit) == [1, 0, 0, -1])
    #expect(try spikes([-2, 1, 0], .ternary) == [-1, 1, 0, -1, 0, 0])
    #expect(try spikes([2, 1, 0], .binary) == [1, 1, 0, 1, 0, 0])
  }

  @Test func `silence takes no steps but a sign bit`() throws {
    for coding in SpikeCoding.allCases {
      let train = try SpikeTrain([0, 0], by: coding)
      #expect(train.steps == (coding == .twosComplement ? 1 : 0))
      #expect(train.spikeCount == 0)
      #expect(train.counts == [0, 0])
      #expect(try SpikeTrain([], by: coding).counts == [])
    }
  }

  @Test func `canonical digits have no neighbours and are fewest`() {
    for count in Self.all {
      let train = try? SpikeTrain([count], by: .signedDigit)
      let digits = train?.spikes ?? []
      #expect(zip(digits, digits.dropFirst()).allSatisfy { $0 == 0 || $1 == 0 })
      #expect(SpikeCoding.signedDigit.spikes(of: count) <= SpikeCoding.bitwise.spikes(of: count))
    }
  }

  @Test(arguments: [SpikeCoding.binary, .bitwiseUnsigned])
  func `a negative count is refused by name`(_ coding: SpikeCoding) {
    #expect(throws: SpikeCodingError.negative(count: -2, channel: 1, coding: coding)) {
      try SpikeTrain([3, -2, -4], by: coding)
    }
  }

  @Test func `too few steps and too many cells are refused`() {
    #expect(throws: SpikeCodingError.steps(2, needed: 3, coding: .bitwise)) {
      try SpikeTrain([4], by: .bitwise, steps: 2)
    }
    #expect(throws: SpikeCodingError.steps(63, needed: 3, coding: .bitwise)) {
      try SpikeTrain([4], by: .bitwise, steps: 63)
    }
    #expect(throws: SpikeCodingError.tooLong(steps: 2_147_483_647, channels: 1, coding: .ternary)) {
      try SpikeTrain([.max], by: .ternary)
    }
    #expect(throws: SpikeCodingError.tooLong(steps: .max, channels: 2, coding: .binary)) {
      try SpikeTrain([1, 2], by: .binary, steps: .max)
    }
  }
}
