import Architectures
import Kernels
import TensorTypes

extension Sweep {
  /// About the most memory that `pass` takes, in bytes, with a layer of each of `models` mapped.
  package func memoryNeeded(
    for pass: some LayerPass, models: [DescribedModel]
  ) throws -> Int {
    // The program, and panels of decoded weights.
    let program = (56 << 20) + Parallel.threadCount * (4 << 20)
    let layers = try models.reduce(0) { try $0 + $1.largestLayer() }
    let segment = models.map { segments.length * $0.description.tokenBytes }.max() ?? 0
    return program + layers + max(segment, pass.bytes)
  }
}

extension DescribedModel {
  /// Bytes of the largest layer, in the type of its attention.
  fileprivate func largestLayer() throws -> Int {
    try description.layers.indices.map { layer in
      let type = try weights.view(TensorAddress(.query, layer: layer)).type
      return description.requirements(ofLayer: layer).reduce(0) {
        $0 + ($1.shape.byteCount(type) ?? 0)
      }
    }.max() ?? 0
  }
}

extension ModelDescription {
  /// Bytes that are held for a token while it passes through a layer.
  fileprivate var tokenBytes: Int {
    let neurons = layers.map { $0.feedForward.experts?.activeSize ?? feedForwardSize }.max() ?? 0
    return MemoryLayout<Float>.stride * (6 * hiddenSize + 3 * queryWidth + 3 * neurons)
  }
}
