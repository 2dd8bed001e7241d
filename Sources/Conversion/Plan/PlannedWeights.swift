import Checkpoints
import ModelFiles
import Synchronization
public import TensorTypes

/// The weights of a plan before it is written, so that what it will compute can be measured.
///
/// Copies are read from the source in place; other tensors are produced when they are asked for,
/// equal ones once, and kept while the same layer is asked about.
public final class PlannedWeights: WeightSource {
  private let planned: [TensorAddress: CheckpointPlan.PlannedTensor]
  private let kept = Mutex<(layer: Int?, views: [Content: TensorView])>((nil, [:]))

  /// What decides a tensor's bytes.
  private struct Content: Hashable {
    /// The names of source tensors, or its own where it has none: a computed tensor is like no other.
    var sources: [String]
    var transform: TransformRecord
    var type: ScalarType
    var shape: Shape

    init(_ tensor: CheckpointPlan.PlannedTensor) {
      let sources = tensor.transform.sources
      self.sources = sources.isEmpty ? [tensor.name] : sources
      transform = tensor.transform.record
      (type, shape) = (tensor.type, tensor.shape)
    }
  }

  /// The weights that `plan` will write.
  public init(_ plan: CheckpointPlan) { planned = plan.tensors.byAddress }

  public func view(_ address: TensorAddress) throws -> TensorView {
    guard let tensor = planned[address] else {
      throw ModelFileError.noTensor(path: "the plan", address: address)
    }
    if let copy = tensor.transform as? CopyTransform {
      return copy.view.type == tensor.type ? copy.view : copy.view.rounded(to: tensor.type)
    }
    let key = Content(tensor)
    let found = kept.withLock { kept -> TensorView? in
      if kept.layer != address.layer { kept = (address.layer, [:]) }
      return kept.views[key]
    }
    if let found { return found }
    let view = try PlannedWeights.produced(tensor)
    kept.withLock { $0.views[key] = view }
    return view
  }

  public func name(of address: TensorAddress) -> String {
    planned[address]?.name ?? "the \(address)"
  }

  private static func produced(_ tensor: CheckpointPlan.PlannedTensor) throws -> TensorView {
    let storage = MemoryStorage(count: tensor.byteCount)
    var end = 0
    try tensor.transform.produce(block: CheckpointExecutor.block) { bytes in
      guard end + bytes.count <= tensor.byteCount else {
        throw ConversionError.wrongSize(
          tensor: tensor.name, expected: tensor.byteCount, got: end + bytes.count)
      }
      UnsafeMutableRawBufferPointer(rebasing: storage.bytes[end...]).copyMemory(from: bytes)
      end += bytes.count
    }
    return storage.view(tensor.type, shape: tensor.shape)
  }
}
