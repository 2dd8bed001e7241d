/// Spikes of some channels over virtual steps.
public struct SpikeTrain: Sendable, Equatable {
  /// How counts were coded.
  public let coding: SpikeCoding
  /// Virtual steps T.
  public let steps: Int
  /// Channels.
  public let channels: Int
  /// -1, 0 or 1 [steps, channels], the most significant step first.
  public let spikes: [Int8]

  /// Most cells (steps times channels) of one train: 1 GiB.
  public static let mostCells = 1 << 30

  /// Given spikes; `spikes` has steps · channels elements.
  public init(coding: SpikeCoding, steps: Int, channels: Int, spikes: [Int8]) {
    precondition(steps >= 0 && channels >= 0 && spikes.count == steps * channels)
    self.coding = coding
    self.steps = steps
    self.channels = channels
    self.spikes = spikes
  }

  /// The train that sends `counts`.
  ///
  /// - Parameter steps: virtual steps; by default as many as the largest count needs.
  ///
  /// Throws when the coding has no negative counts and there is one, when a count does not fit the
  /// steps, and when the train would have more than `mostCells` cells.
  public init(
    _ counts: [Int32], by coding: SpikeCoding, steps wanted: Int? = nil
  ) throws(SpikeCodingError) {
    if !coding.isSigned, let (channel, count) = counts.enumerated().first(where: { $0.1 < 0 }) {
      throw .negative(count: count, channel: channel, coding: coding)
    }
    let needed = counts.lazy.map(coding.steps).max() ?? 0
    let steps = wanted ?? needed
    guard steps >= needed, coding.isUnary || steps <= 62 else {
      throw .steps(steps, needed: needed, coding: coding)
    }
    guard !steps.multipliedReportingOverflow(by: counts.count).overflow,
      steps * counts.count <= Self.mostCells
    else { throw .tooLong(steps: steps, channels: counts.count, coding: coding) }
    self.coding = coding
    self.steps = steps
    channels = counts.count
    var spikes = [Int8](repeating: 0, count: steps * counts.count)
    for (channel, count) in counts.enumerated() {
      coding.write(count, steps: steps) { step, spike in
        spikes[step * counts.count + channel] = spike
      }
    }
    self.spikes = spikes
  }

  /// The counts, exactly; nil when a sum is no Int32, which no train made of counts has.
  public var counts: [Int32]? {
    var sums = [Int64](repeating: 0, count: channels)
    for step in 0..<steps {
      let weight = coding.weight(step: step, of: steps)
      for channel in 0..<channels {
        sums[channel] += weight * Int64(spikes[step * channels + channel])
      }
    }
    let counts = sums.compactMap { Int32(exactly: $0) }
    return counts.count == channels ? counts : nil
  }

  /// Cells that hold a spike.
  public var spikeCount: Int { spikes.count { $0 != 0 } }
}

extension SpikeCoding {
  /// Calls `put` for every spike of `count`.
  fileprivate func write(_ count: Int32, steps: Int, put: (_ step: Int, _ spike: Int8) -> Void) {
    let sign: Int8 = count < 0 ? -1 : 1
    func bits(_ pattern: UInt64, _ spike: Int8) {
      var rest = pattern
      while rest != 0 {
        put(steps - 1 - rest.trailingZeroBitCount, spike)
        rest &= rest - 1
      }
    }
    switch self {
    case .binary, .ternary: for step in 0..<Int(count.magnitude) { put(step, sign) }
    case .bitwiseUnsigned, .bitwise: bits(UInt64(count.magnitude), sign)
    case .twosComplement: bits(pattern(count, steps: steps), 1)
    case .signedDigit:
      let digits = Digits(count)
      bits(digits.positive, 1)
      bits(digits.negative, -1)
    }
  }
}
