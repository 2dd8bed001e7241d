import Runtime

/// How far one stream is from another.
struct Drift {
  private var ratios: [Float] = []
  private var sinkRatios: [Float] = []

  /// Adds a segment: rows of the healed stream and of the source's.
  mutating func add(_ hidden: FloatMatrix, source: FloatMatrix) {
    for row in 0..<hidden.rows {
      let a = hidden[row], b = source[row]
      var difference: Float = 0, size: Float = 0, own: Float = 0
      for column in a.indices {
        difference += (a[column] - b[column]) * (a[column] - b[column])
        size += b[column] * b[column]
        own += a[column] * a[column]
      }
      ratios.append((difference / max(size, 1e-30)).squareRoot())
      if row == 0 { sinkRatios.append((own / max(size, 1e-30)).squareRoot()) }
    }
    withExtendedLifetime((hidden, source)) {}
  }

  /// The median relative distance.
  var median: Double { Drift.median(ratios) }
  /// The median ratio of the first tokens' norms.
  var sink: Double { Drift.median(sinkRatios) }

  private static func median(_ values: [Float]) -> Double {
    values.isEmpty ? 0 : Double(values.sorted()[values.count / 2])
  }
}
