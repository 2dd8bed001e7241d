import Kernels
import Runtime

/// Sinks in front of the tokens of every segment.
extension FloatMatrix {
  /// These rows, as many to each of the `segments`, with `sinks` before each.
  func withSinks(_ sinks: FloatMatrix, segments: Int) -> FloatMatrix {
    if sinks.rows == 0 { return self }
    let length = rows / segments, whole = sinks.rows + length
    let result = FloatMatrix(rows: segments * whole, columns: columns)
    for segment in 0..<segments {
      result.copyRows(of: sinks, to: segment * whole)
      result.copyRows(
        of: rows(segment * length..<(segment + 1) * length), to: segment * whole + sinks.rows)
    }
    return result
  }

  /// These rows, as many to each of the `segments`, without the first `sinks` of each.
  func withoutSinks(_ sinks: Int, segments: Int) -> FloatMatrix {
    if sinks == 0 { return self }
    let whole = rows / segments, length = whole - sinks
    let result = FloatMatrix(rows: segments * length, columns: columns)
    for segment in 0..<segments {
      result.copyRows(
        of: rows(segment * whole + sinks..<(segment + 1) * whole), to: segment * length)
    }
    return result
  }
}

extension EmbeddingRows {
  /// The rows of whole segments, the sinks before each.
  func rows(_ ids: some Collection<Int>, segments: Int) throws -> FloatMatrix {
    try rows(ids).withSinks(sinks, segments: segments)
  }
}
