public import Checkpoints
import Kernels
import StrictJSON
public import TensorTypes

extension TransformRecord.Kind {
  /// Some neurons of a source.
  public static let neurons: Self = "neurons"
}

/// Some neurons of a dense feed-forward part, as an expert holds them: rows of gate and up, columns
/// of down, elements of biases. Each is copied as `CopyTransform` would.
public struct NeuronTransform: TensorTransform {
  let view: TensorView
  let source: String
  let neurons: [Int]
  let axis: Axis
  let owner: TensorAddress.Expert
  let type: ScalarType

  /// Where a tensor has its neurons.
  public enum Axis: String, Sendable {
    case rows, columns
  }

  /// The `neurons` of `view`, called `source` in its file, as `type`.
  ///
  /// - Parameters:
  ///   - axis: where neurons lie; those of a vector are its columns.
  ///   - owner: the expert that gets them, for the manifest.
  public init(
    _ view: TensorView, named source: String, neurons: [Int], along axis: Axis,
    of owner: TensorAddress.Expert, as type: ScalarType
  ) {
    self.view = view
    self.source = source
    self.neurons = neurons
    self.axis = axis
    self.owner = owner
    self.type = type
  }

  public var sources: [String] { [source] }

  public var record: TransformRecord {
    let expert: JSONValue =
      if case .routed(let index) = owner { .int(index) } else { "shared" }
    // The list itself is in the record of the step, once for all tensors of a layer.
    let digest = SHA256.hash(neurons.flatMap { Array("\($0)\n".utf8) })
    var record = TransformRecord(
      .neurons,
      [
        ("expert", expert), ("along", .string(axis.rawValue)), ("count", .int(neurons.count)),
        ("sha256", .string(digest.hex)),
      ])
    record.read(view, as: type)
    return record
  }

  public func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    switch axis {
    case .rows: try produceRows(block: block, into: sink)
    case .columns: try produceColumns(block: block, into: sink)
    }
    view.discard()
  }

  private func produceRows(
    block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let rowBytes = view.columns * type.blockBytes
    let rowsPerBlock = max(1, block / max(rowBytes, 1))
    let buffer = MemoryStorage(count: min(rowsPerBlock, neurons.count) * rowBytes)
    for first in stride(from: 0, to: neurons.count, by: rowsPerBlock) {
      let part = neurons[first..<min(first + rowsPerBlock, neurons.count)]
      var end = 0
      for neuron in part {
        let row = view.slice(rows: neuron..<neuron + 1)
        try CopyTransform(row, named: source, as: type).produce(block: rowBytes) { bytes in
          UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[end...]).copyMemory(from: bytes)
          end += bytes.count
        }
      }
      try sink(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<end]))
    }
  }

  private func produceColumns(
    block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let size = type.blockBytes, rowBytes = view.columns * size
    let rowsPerBlock = max(1, block / max(rowBytes, 1))
    let buffer = MemoryStorage(count: min(rowsPerBlock, view.rows) * neurons.count * size)
    // Whole rows at a time, copied or cast.
    try CopyTransform(view, named: source, as: type).produce(block: rowsPerBlock * rowBytes) {
      bytes in
      var end = 0
      for row in stride(from: 0, to: bytes.count, by: rowBytes) {
        for neuron in neurons {
          let start = row + neuron * size
          UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[end..<end + size])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + size]))
          end += size
        }
      }
      try sink(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<end]))
    }
  }
}
