import Communication
import Runtime

/// How far the healed stream is from the source's, over many segments.
struct Drift {
  private var ratios: [Float] = []
  private var sinkRatios: [Float] = []

  /// Adds a segment: rows of the healed stream and of the source's, the first being token `first`.
  mutating func add(
    _ hidden: FloatMatrix, source: FloatMatrix, first: Int, massive: MassiveTokens
  ) {
    let distances = RowDistances(hidden, from: source)
    for row in 0..<hidden.rows {
      ratios.append(
        (distances.squaredDistances[row] / max(distances.squaredNorms[row], 1e-30)).squareRoot())
    }
    for row in 0..<hidden.rows where massive.indices.contains(first + row) {
      let own = hidden.rows(row..<row + 1)
      let norm = RowDistances(own, from: own).squaredNorms[0]
      sinkRatios.append((norm / max(distances.squaredNorms[row], 1e-30)).squareRoot())
    }
  }

  /// Adds what all ranks have found.
  mutating func collect(over ranks: Communicator) throws {
    ratios = try ranks.joined(ratios)
    sinkRatios = try ranks.joined(sinkRatios)
  }

  /// The median relative distance.
  var median: Double { Drift.median(ratios) }
  /// The median ratio of the massive tokens' norms.
  var sink: Double { Drift.median(sinkRatios) }

  private static func median(_ values: [Float]) -> Double {
    values.isEmpty ? 0 : Double(values.sorted()[values.count / 2])
  }
}
