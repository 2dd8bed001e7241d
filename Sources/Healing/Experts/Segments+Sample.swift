import Streams

extension Segments {
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
