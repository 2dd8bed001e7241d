/// Spike counts of some tokens.
public struct SpikeMatrix: Sendable {
  /// s [T, channels].
  public let counts: [Int32]
  /// V_th [T].
  public let thresholds: [Float]
  /// How many activations have no count, see `SpikeCounts`.
  public let outside: Int

  /// The counts of every row of `input`, or of each run of `columns` elements.
  public init(_ input: FloatMatrix, columns: Int? = nil, k: Float, winners: Int? = nil) {
    let columns = columns ?? input.columns, rows = input.count / max(columns, 1)
    var thresholds = [Float](repeating: 0, count: rows), outside = 0
    counts = [Int32](unsafeUninitializedCapacity: input.count) { counts, initialized in
      initialized = input.count
      guard let counts = counts.baseAddress else { return }
      withExtendedLifetime(input) {
        outside = SpikeCounts.apply(
          input.pointer, rows: rows, columns: columns, k: k, winners: winners, into: counts,
          thresholds: &thresholds)
      }
    }
    self.thresholds = thresholds
    self.outside = outside
  }
}

extension FloatMatrix {
  /// s · V_th in the place of every row, or of each of its `heads` parts; see `SpikeCounts` for
  /// `winners`.
  public func spiked(k: Float, heads: Int = 1, winners: Int? = nil) -> FloatMatrix {
    precondition(columns % heads == 0)
    let output = unset
    withExtendedLifetime((self, output)) {
      SpikeCounts.values(
        pointer, rows: rows * heads, columns: columns / heads, k: k, winners: winners,
        into: output.pointer)
    }
    return output
  }

  /// The `count` channels of every row with the largest magnitudes, and 0 for the others.
  public func winners(_ count: Int) -> FloatMatrix {
    let output = unset
    withExtendedLifetime((self, output)) {
      Winners.apply(pointer, rows: rows, columns: columns, count: count, into: output.pointer)
    }
    return output
  }

  /// mean|x| of one of the runs of `columns` elements, or of the `winners` in it that are not 0.
  public func meanMagnitude(ofRun run: Int, columns: Int, winners: Int? = nil) -> Float {
    precondition((run + 1) * columns <= count)
    return withExtendedLifetime(self) {
      SpikeCounts.mean(pointer + run * columns, count: columns, winners: winners)
    }
  }
}
