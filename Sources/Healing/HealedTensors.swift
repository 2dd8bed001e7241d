import Architectures
import Kernels
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
}

extension TrainableGLA {
  /// The parameters as tensors of layer `layer`.
  func healedTensors(layer: Int) -> HealedTensors {
    var tensors = HealedTensors()
    func set(
      _ parameter: Parameter, _ role: TensorAddress.Role,
      _ kind: TensorAddress.Parameter = .weight, vector: Bool = false
    ) {
      let shape: Shape =
        vector ? [parameter.value.columns] : [parameter.value.rows, parameter.value.columns]
      tensors.set(
        TensorAddress(role, kind, layer: layer),
        to: MemoryStorage.view(parameter.values, shape: shape))
    }
    set(query, .query)
    set(key, .key)
    set(value, .value)
    set(output, .output)
    set(queryBias, .query, .bias, vector: true)
    set(keyBias, .key, .bias, vector: true)
    set(valueBias, .value, .bias, vector: true)
    set(gateLow, .gateLow)
    set(gateHigh, .gateHigh)
    set(gateBias, .gateHigh, .bias, vector: true)
    set(outputNorm, .outputNorm, vector: true)
    return tensors
  }
}

/// Rows of an embedding as f32.
struct EmbeddingRows {
  private let view: TensorView
  private let columns: Int

  init(_ source: any WeightSource, model: ModelDescription) throws {
    view = try source.view(TensorAddress(.embedding))
    columns = model.hiddenSize
  }

  func rows(_ ids: some Collection<Int>) -> FloatMatrix {
    let matrix = FloatMatrix(rows: ids.count, columns: columns)
    for (row, id) in ids.enumerated() {
      RowDecoder.decode(view, rows: id..<id + 1, into: matrix.row(row))
    }
    withExtendedLifetime(matrix) {}
    return matrix
  }
}
