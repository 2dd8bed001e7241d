import Runtime
public import TensorTypes

/// Refitted tensors, f32 in memory, by address.
public struct HealedTensors: Sendable {
  /// The tensors.
  public private(set) var views: [TensorAddress: TensorView] = [:]

  /// No tensors.
  public init() {}

  /// Adds a tensor.
  public mutating func set(_ address: TensorAddress, to view: TensorView) { views[address] = view }

  /// Adds the tensors of `other`.
  public mutating func merge(_ other: HealedTensors) {
    views.merge(other.views) { $1 }
  }
}

/// Healed tensors over those of a checkpoint.
public struct Overlay: WeightSource {
  private let tensors: HealedTensors
  private let below: any WeightSource

  /// `tensors` where they exist, those of `below` otherwise.
  public init(tensors: HealedTensors, below: any WeightSource) {
    self.tensors = tensors
    self.below = below
  }

  public func view(_ address: TensorAddress) throws -> TensorView {
    try tensors.views[address] ?? below.view(address)
  }

  public func name(of address: TensorAddress) -> String {
    tensors.views[address] == nil ? below.name(of: address) : "the refitted \(address)"
  }
}

extension EmbeddingRows {
  /// The rows of whole segments, the sinks before each.
  func rows(_ ids: some Collection<Int>, segments: Int) throws -> FloatMatrix {
    try rows(ids).withSinks(sinks, segments: segments)
  }
}
