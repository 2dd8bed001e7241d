package import Architectures
import Kernels
package import Runtime
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
}

/// Rows of an embedding as f32.
package struct EmbeddingRows {
  private let view: TensorView
  private let columns: Int
  /// The sinks before every text [n, H].
  package let sinks: FloatMatrix

  package init(_ source: any WeightSource, model: ModelDescription) throws {
    view = try source.view(TensorAddress(.embedding))
    columns = model.hiddenSize
    sinks = FloatMatrix(rows: model.sinkCount, columns: columns)
    guard model.sinkCount > 0 else { return }
    let tokens = try source.view(TensorAddress(.sinkTokens))
    withExtendedLifetime(sinks) {
      RowDecoder.decode(tokens, rows: 0..<sinks.rows, into: sinks.pointer)
    }
  }

  /// The rows of whole segments, the sinks before each.
  func rows(_ ids: some Collection<Int>, segments: Int) -> FloatMatrix {
    rows(ids).withSinks(sinks, segments: segments)
  }

  package func rows(_ ids: some Collection<Int>) -> FloatMatrix {
    let matrix = FloatMatrix(rows: ids.count, columns: columns)
    for (row, id) in ids.enumerated() {
      RowDecoder.decode(view, rows: id..<id + 1, into: matrix.row(row))
    }
    withExtendedLifetime(matrix) {}
    return matrix
  }
}
