import Kernels

/// How the activations of one token become active bits.
public enum PatternCode: Sendable, Hashable {
  /// A sparse distributed representation: the share of neurons with the largest magnitudes, at
  /// least one; of equal ones those with the lower index.
  case winners(share: Double)
  /// The neurons with a spike count other than 0 at this k.
  case spiking(k: Double)
  /// Cells (neuron, step) with a spike at this k: three steps of bitwise coding, counts beyond 7
  /// as 7. What the report's 31 % activity is about.
  case cells(k: Double)

  /// Bits of a pattern of `neurons` neurons.
  public func size(neurons: Int) -> Int {
    if case .cells = self { return 3 * neurons }
    return neurons
  }

  /// The pattern of the activations `x` of one token.
  public func pattern(_ x: UnsafeBufferPointer<Float>) -> BinaryPattern {
    let size = size(neurons: x.count)
    switch self {
    case .winners(let share):
      let wanted = min(x.count, max(1, Int((share * Double(x.count)).rounded())))
      return BinaryPattern(size: size, active: Winners.indices(x, count: wanted))
    case .spiking(let k):
      let counts = Self.counts(x, k: k)
      return BinaryPattern(size: size, active: counts.indices.lazy.filter { counts[$0] != 0 })
    case .cells(let k):
      let counts = Self.counts(x, k: k).map { min($0.magnitude, 7) }
      let cells = counts.indices.lazy.flatMap { neuron in
        (0..<3).lazy.filter { counts[neuron] >> UInt32($0) & 1 == 1 }.map { 3 * neuron + $0 }
      }
      return BinaryPattern(size: size, active: cells)
    }
  }

  private static func counts(_ x: UnsafeBufferPointer<Float>, k: Double) -> [Int32] {
    SpikeMatrix(FloatMatrix(Array(x), rows: 1), k: Float(k)).counts
  }
}
