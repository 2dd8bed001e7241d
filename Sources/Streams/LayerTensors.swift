public import TensorTypes

/// New tensors of layers, by address.
public struct LayerTensors: Sendable {
  /// The tensors.
  public private(set) var views: [TensorAddress: TensorView]

  /// Some tensors, or none.
  public init(_ views: [TensorAddress: TensorView] = [:]) { self.views = views }

  /// Adds a tensor.
  public mutating func set(_ address: TensorAddress, to view: TensorView) { views[address] = view }

  /// Adds the tensors of `other`.
  public mutating func merge(_ other: LayerTensors) {
    views.merge(other.views) { $1 }
  }
}

/// New tensors over those of a checkpoint.
public struct Overlay: WeightSource {
  private let tensors: LayerTensors
  private let below: any WeightSource

  /// `tensors` where they exist, those of `below` otherwise.
  public init(tensors: LayerTensors, below: any WeightSource) {
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
