import Runtime

/// Which expert every token of a text is sent to in one layer.
struct Regions {
  private(set) var experts: [Int] = []

  /// Adds the next tokens, of which each is sent to one expert.
  mutating func add(_ routing: Routing) { experts += routing.experts }

  /// The tokens among `range` that are sent to `expert`, in order.
  func tokens(of expert: Int, among range: Range<Int>) -> [Int] {
    range.filter { experts[$0] == expert }
  }

  /// How many tokens each of `count` experts gets.
  func sizes(_ count: Int) -> [Int] {
    experts.reduce(into: [Int](repeating: 0, count: count)) { $0[$1] += 1 }
  }
}

extension Segments {
  /// The tokens of some segments.
  func tokens(of segments: Range<Int>) -> Range<Int> {
    firstToken(of: segments.lowerBound)..<firstToken(of: segments.upperBound)
  }

  /// Bytes of inputs that clusters are found on.
  private static let sampleBytes = 64 << 20

  /// Evenly spread training tokens whose inputs of `columns` numbers take up to 64 MB; massive ones
  /// would each claim a cluster.
  func sample(columns: Int, leavingOut massive: MassiveTokens) -> [Int] {
    let training = tokens(of: training)
    let bytes = columns * MemoryLayout<Float>.stride
    let step = max(1, (training.count * bytes + Self.sampleBytes - 1) / Self.sampleBytes)
    let sample = stride(from: 0, to: training.count, by: step).filter {
      !massive.indices.contains($0)
    }
    return sample.isEmpty ? [0] : sample
  }
}
