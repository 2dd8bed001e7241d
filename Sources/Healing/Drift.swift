import Runtime

/// How far the healed stream is from the source's, over many segments.
struct Drift {
  private var ratios: [Float] = []
  private var sinkRatios: [Float] = []

  /// Adds a segment: rows of the healed stream and of the source's.
  mutating func add(_ hidden: FloatMatrix, source: FloatMatrix) {
    let distances = RowDistances(hidden, from: source)
    for row in 0..<hidden.rows {
      ratios.append(
        (distances.squaredDistances[row] / max(distances.squaredNorms[row], 1e-30)).squareRoot())
    }
    let zero = FloatMatrix(rows: 1, columns: hidden.columns)
    zero.elements.update(repeating: 0)
    let own = RowDistances(zero, from: hidden.rows(0..<1)).squaredNorms[0]
    sinkRatios.append((own / max(distances.squaredNorms[0], 1e-30)).squareRoot())
  }

  /// The median relative distance.
  var median: Double { Drift.median(ratios) }
  /// The median ratio of the first tokens' norms.
  var sink: Double { Drift.median(sinkRatios) }

  private static func median(_ values: [Float]) -> Double {
    values.isEmpty ? 0 : Double(values.sorted()[values.count / 2])
  }
}
