import Architectures
import Checkpoints
import TensorTypes

extension QuantizedReader {
  /// Projections in Q8_0 blocks: their codes and scales, where `model` calls for INT8.
  init(blocks reader: any CheckpointReader, model: ModelDescription, names: NameTable) {
    var shown: [String: Shown] = [:]
    for requirement in model.requirements where requirement.type == .int8 {
      var address = requirement.address
      guard let granularity = model.scales(of: address), let name = names.name(of: address),
        let stored = reader.tensor(named: name), stored.type == .q8_0,
        stored.shape == requirement.shape
      else { continue }
      address.parameter = .scale
      let size = granularity.size(columns: stored.shape.columns)
      guard let scaleName = names.name(of: address), size % stored.type.blockElements == 0 else {
        continue
      }
      var codes = stored, scales = stored
      codes.type = .int8
      scales.name = scaleName
      scales.type = .float32
      scales.shape = [
        stored.shape.rows, granularity.scales(columns: stored.shape.columns),
      ]
      shown[name] = .codes(as: codes)
      shown[scaleName] = .scales(
        of: name, as: scales, blocks: size / stored.type.blockElements)
    }
    self.init(reader, form: "Q8_0", shown: shown, hidden: [], problems: [])
  }
}

extension TensorView {
  /// The int8 codes of Q8_0 blocks, shown as `tensor`.
  func codes(of tensor: StoredTensor) -> TensorView {
    let block = type.blockBytes, elements = type.blockElements
    let count = bytes.count / block
    let storage = MemoryStorage(count: count * elements)
    for index in 0..<count {
      let start = index * block + 2
      UnsafeMutableRawBufferPointer(
        rebasing: storage.bytes[index * elements..<(index + 1) * elements]
      ).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + elements]))
    }
    discard()
    return TensorView(
      bytes: UnsafeRawBufferPointer(rebasing: storage.bytes[..<(count * elements)]), type: .int8,
      shape: tensor.shape, storage: storage)
  }

  /// The scales of Q8_0 blocks, shown as `tensor`; throws when `blocks` neighbours, which have one
  /// in the model, differ.
  func scales(of tensor: StoredTensor, blocks: Int) throws(CheckpointError) -> TensorView {
    let perRow = columns / type.blockElements
    var values: [Float] = []
    values.reserveCapacity(tensor.shape.rows * tensor.shape.columns)
    func bits(_ index: Int) -> UInt16 {
      bytes.loadUnaligned(fromByteOffset: index * type.blockBytes, as: UInt16.self)
    }
    for row in 0..<rows {
      for first in stride(from: 0, to: perRow, by: blocks) {
        let start = row * perRow + first
        for index in start..<row * perRow + min(first + blocks, perRow)
        where bits(index) != bits(start) {
          throw .malformed(
            file: tensor.file, format: "GGUF", offset: tensor.offset + index * type.blockBytes,
            reason: "the blocks of one group of \(tensor.name) have several scales")
        }
        values.append(Float(Float16(bitPattern: bits(start))))
      }
    }
    discard()
    return MemoryStorage.view(values, shape: tensor.shape)
  }
}
