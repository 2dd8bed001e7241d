import Communication
import Kernels
import Runtime
import Streams

/// How far the healed stream is from the source's, over many segments.
struct Drift {
  /// The source's stream.
  let source: HiddenStream
  let segments: Segments
  let massive: MassiveTokens
  private var ratios: [Float] = []
  private var sinkRatios: [Float] = []

  init(from source: HiddenStream, _ segments: Segments, _ massive: MassiveTokens) {
    self.source = source
    self.segments = segments
    self.massive = massive
  }

  /// Adds a segment of the healed stream [T, H].
  mutating func add(_ hidden: FloatMatrix, _ segment: Int) throws {
    let tokens = segments.range(of: segment)
    let distances = RowDistances(hidden, from: try source.read(tokens))
    for (row, token) in tokens.enumerated() {
      let norm = max(distances.squaredNorms[row], 1e-30)
      ratios.append((distances.squaredDistances[row] / norm).squareRoot())
      guard massive.indices.contains(token) else { continue }
      let own = hidden.rows(row..<row + 1)
      sinkRatios.append((RowDistances(own, from: own).squaredNorms[0] / norm).squareRoot())
    }
  }

  /// The medians, over all ranks, of the relative distance and of the ratio of the massive tokens'
  /// norms.
  func medians() throws -> (drift: Double, sink: Double) {
    let ranks = segments.ranks
    return (
      Drift.median(try ranks.joined(ratios)), Drift.median(try ranks.joined(sinkRatios))
    )
  }

  private static func median(_ values: [Float]) -> Double {
    values.isEmpty ? 0 : Double(values.sorted()[values.count / 2])
  }
}
