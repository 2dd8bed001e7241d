import Checkpoints
package import ModelFiles
package import TensorTypes

/// A tensor that the source holds in several parts, as it is or cast: the parts are looked at when
/// the tensor is written, one after the other.
struct PartsTransform: TensorTransform {
  let file: ModelFile
  let address: TensorAddress
  let source: String
  let rows: Int
  let stored: ScalarType
  let type: ScalarType

  var sources: [String] { [source] }
  var record: TransformRecord { TransformRecord(copying: stored, as: type) }

  func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    for part in try file.rows(0..<rows, of: address) {
      try CopyTransform(part, named: source, as: type).produce(block: block, into: sink)
    }
  }
}

extension ModelFile {
  /// What copies the tensor at `address`, or casts it to `type`.
  package func copying(
    _ address: TensorAddress, as type: ScalarType
  ) throws -> any TensorTransform {
    guard let stored = tensors[address] else {
      throw ModelFileError.noTensor(path: path, address: address)
    }
    guard isAssembled else {
      return CopyTransform(try view(address), named: stored.name, as: type)
    }
    return PartsTransform(
      file: self, address: address, source: stored.name, rows: stored.shape.dimensions.first ?? 1,
      stored: stored.type, type: type)
  }
}
