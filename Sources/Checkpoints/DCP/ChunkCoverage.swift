/// Whether chunks hold every element of a tensor exactly once.
///
/// - Precondition: the number of elements of `shape` fits an Int.
struct ChunkCoverage {
  /// Most chunks that are compared two by two, which is needed when they form no grid.
  static let pairLimit = 4096

  let shape: [Int]
  let chunks: [TensorBox]

  /// What is wrong, in words that follow the tensor's name; nil when every element is covered once.
  var problem: String? {
    for chunk in chunks {
      guard chunk.offsets.count == shape.count, chunk.sizes.count == shape.count else {
        return "has a chunk of another number of dimensions"
      }
      for (dimension, size) in shape.enumerated() {
        let (end, overflow) = chunk.offsets[dimension].addingReportingOverflow(
          chunk.sizes[dimension])
        guard chunk.offsets[dimension] >= 0, chunk.sizes[dimension] >= 0, !overflow, end <= size
        else { return "has a chunk at \(chunk.offsets) that reaches outside \(shape)" }
      }
    }
    // Ranks that hold nothing write empty chunks.
    let filled = chunks.filter { !$0.isEmpty }
    let total = shape.reduce(1, *)
    var covered = 0
    for chunk in filled {
      let (sum, overflow) = covered.addingReportingOverflow(chunk.count)
      guard !overflow else { return "has chunks that overlap" }
      covered = sum
    }
    if let problem = overlap(of: filled) { return problem }
    return covered == total ? nil : "has \(total - covered) of \(total) elements in no chunk"
  }

  /// Chunks of a grid with different origins share nothing; others are compared two by two.
  private func overlap(of chunks: [TensorBox]) -> String? {
    if isGrid(chunks) {
      return Set(chunks.map(\.offsets)).count == chunks.count ? nil : "has chunks that overlap"
    }
    guard chunks.count <= Self.pairLimit else {
      return "has \(chunks.count) chunks that form no grid; the limit is \(Self.pairLimit)"
    }
    for (index, first) in chunks.enumerated() {
      for second in chunks[..<index] where first.intersection(second) != nil {
        return "has chunks that overlap, at \(second.offsets) and \(first.offsets)"
      }
    }
    return nil
  }

  /// Whether chunks that start at the same index of a dimension also end there together, and before
  /// the next ones start.
  private func isGrid(_ chunks: [TensorBox]) -> Bool {
    for dimension in shape.indices {
      var ends: [Int: Int] = [:]
      for chunk in chunks {
        let start = chunk.offsets[dimension], end = start + chunk.sizes[dimension]
        guard ends.updateValue(end, forKey: start) ?? end == end else { return false }
      }
      var previous = 0
      for (start, end) in ends.sorted(by: { $0.key < $1.key }) {
        guard start >= previous else { return false }
        previous = end
      }
    }
    return true
  }
}
