package import TensorTypes

/// Where a tensor is from, for messages.
package struct TensorOrigin: Sendable {
  private let address: TensorAddress
  private let source: any WeightSource

  /// The tensor at `address` of `source`.
  package init(_ address: TensorAddress, in source: any WeightSource) {
    self.address = address
    self.source = source
  }

  /// What messages call it.
  var name: String { source.name(of: address) }

  /// The tensor.
  var view: TensorView { get throws { try source.view(address) } }
}
