/// What was counted at one place: how many spikes activations become, and how sparse they are.
///
/// A channel is one activation of one token; a silent one has count 0.
public struct SpikeStatistics: Sendable, Equatable {
  /// How often each count -255 ... 255 occurred; count s is at index s + 255.
  public private(set) var histogram = [Int](repeating: 0, count: 2 * 255 + 1)
  /// The rarer counts beyond, by their value.
  public private(set) var larger: [Int32: Int] = [:]
  /// Rows (tokens, or heads of rotated queries) counted.
  public internal(set) var rows = 0

  private static let largest: Int32 = 255

  /// Nothing counted yet.
  public init() {}

  /// What was counted before, but for the rows: 511 bins, and the counts beyond.
  init(histogram: [Int], larger: [Int32: Int]) {
    self.histogram = histogram
    self.larger = larger
  }

  /// Counts some rows.
  public mutating func add(_ counts: UnsafeBufferPointer<Int32>, rows: Int) {
    self.rows += rows
    var others: [Int32] = []
    histogram.withUnsafeMutableBufferPointer { bins in
      for count in counts {
        if count.magnitude <= Self.largest.magnitude {
          bins[Int(count) + Int(Self.largest)] += 1
        } else {
          others.append(count)
        }
      }
    }
    for count in others { larger[count, default: 0] += 1 }
  }

  /// Adds what another place counted.
  public mutating func merge(_ other: SpikeStatistics) {
    rows += other.rows
    for index in histogram.indices { histogram[index] += other.histogram[index] }
    larger.merge(other.larger, uniquingKeysWith: +)
  }

  /// Every count with how often it occurred.
  public var occurrences: [(count: Int32, times: Int)] {
    histogram.enumerated().filter { $0.1 > 0 }.map { (Int32($0.0) - Self.largest, $0.1) }
      + larger.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// Channels counted.
  public var channels: Int { sum { _ in 1 } }

  /// The share of channels with count 0.
  public var silentShare: Double { share { $0 == 0 } }

  /// The share of channels with |s| <= `limit`.
  public func share(upTo limit: Int) -> Double { share { Int($0.magnitude) <= limit } }

  /// The largest magnitude.
  public var maximum: Int { occurrences.map { Int($0.count.magnitude) }.max() ?? 0 }

  /// The mean of |s|.
  public var meanMagnitude: Double { ratio(sum { Int($0.magnitude) }, channels) }

  /// Spikes per channel, each count sent in the steps that it needs by itself. Codings without
  /// negative counts are taken of the magnitude.
  public func spikesPerChannel(_ coding: SpikeCoding) -> Double {
    ratio(sum(coding.spikes), channels)
  }

  /// Steps per channel, by itself.
  public func stepsPerChannel(_ coding: SpikeCoding) -> Double {
    ratio(sum(coding.steps), channels)
  }

  /// The share of (channel, step) cells without a spike in bitwise coding, by each definition.
  public func sparsity(_ definition: Sparsity) -> Double {
    let coding = SpikeCoding.bitwise
    func sparsity(_ steps: (Int32) -> Int) -> Double {
      let cells = sum(steps)
      let spikes = sum { steps($0) > 0 ? coding.spikes(of: $0) : 0 }
      return cells == 0 ? 1 : 1 - ratio(spikes, cells)
    }
    switch definition {
    case .threeSteps: return sparsity { $0.magnitude <= 7 ? 3 : 0 }
    case .ownLength: return sparsity { max(3, coding.steps(of: $0)) }
    case .fixed:
      let steps = coding.steps(of: Int32(clamping: maximum))
      return sparsity { _ in steps }
    }
  }

  private func sum(_ value: (Int32) -> Int) -> Int {
    occurrences.reduce(0) { $0 + $1.times * value($1.count) }
  }

  private func share(_ holds: (Int32) -> Bool) -> Double {
    ratio(sum { holds($0) ? 1 : 0 }, channels)
  }

  private func ratio(_ part: Int, _ whole: Int) -> Double {
    whole == 0 ? 0 : Double(part) / Double(whole)
  }
}

/// Definitions of sparsity, all of bitwise coding: which cells are counted.
///
/// The report gives 69.15 % at k = 3, which none of its published definitions gives.
public enum Sparsity: String, Sendable, CaseIterable {
  /// Three steps, of the channels with |s| <= 7 only.
  case threeSteps = "three-steps"
  /// Three steps, or as many as a larger count has bits.
  case ownLength = "own-length"
  /// As many steps as the largest count has bits, for every channel.
  case fixed

  /// The definition in words.
  public var text: String {
    switch self {
    case .threeSteps: "3 steps, channels with |s| <= 7"
    case .ownLength: "max(3, own bits) steps"
    case .fixed: "bits of the largest count"
    }
  }
}
