import Checkpoints
import StrictJSON
import TensorTypes

/// A weight of bitsandbytes in 4 bits: two codes in a byte, the first in its upper half; a table gives
/// each its value, and each block of consecutive elements has a scale.
struct FourBitWeight: StoredWeight {
  let shape: Shape
  let codes: StoredTensor
  let blockSize: Int
  /// How the scales are stored: as float32, or as codes with a table, scales and an offset of their own.
  let nested: (blockSize: Int, offset: Float)?

  func decode(
    from reader: any CheckpointReader, into values: UnsafeMutableBufferPointer<Float>
  ) throws(CheckpointError) {
    let table = try reader.floats(codes.name + ".quant_map")
    let scales = try scales(reader)
    let view = try reader.view(codes.name)
    withExtendedLifetime(view) {
      for index in values.indices {
        let byte = view.bytes[index / 2]
        values[index] =
          table[Int(index % 2 == 0 ? byte >> 4 : byte & 15)] * scales[index / blockSize]
      }
    }
    view.discard()
  }

  private func scales(_ reader: any CheckpointReader) throws(CheckpointError) -> [Float] {
    let name = codes.name + ".absmax"
    guard let nested else { return try reader.floats(name) }
    let table = try reader.floats(codes.name + ".nested_quant_map")
    let outer = try reader.floats(codes.name + ".nested_absmax")
    let view = try reader.view(name)
    return withExtendedLifetime(view) {
      view.bytes.enumerated().map { index, code in
        table[Int(code)] * outer[index / nested.blockSize] + nested.offset
      }
    }
  }
}

/// A weight of bitsandbytes in INT8: W[o][i] = code · scale[o] / 127.
struct RowScaledWeight: StoredWeight {
  let shape: Shape
  let codes: StoredTensor
  let scales: String

  func decode(
    from reader: any CheckpointReader, into values: UnsafeMutableBufferPointer<Float>
  ) throws(CheckpointError) {
    let scales = try reader.floats(scales), columns = max(shape.columns, 1)
    let view = try reader.view(codes.name)
    withExtendedLifetime(view) {
      for index in values.indices {
        let code = Int8(bitPattern: view.bytes[index])
        values[index] = Float(code) * scales[index / columns] * Self.share
      }
    }
    view.discard()
  }

  /// What the library multiplies by.
  private static let share: Float = 1 / 127
}

extension WeightParts {
  private static let statePrefix = ".quant_state.bitsandbytes__"

  /// A weight of bitsandbytes; nil for any other tensor.
  mutating func bitsAndBytes(
    _ tensor: StoredTensor
  ) throws(CheckpointError) -> (any StoredWeight)? {
    guard tensor.name.hasSuffix(".weight") else { return nil }
    let base = String(tensor.name.dropLast("weight".count))
    if tensor.type == .int8, reader.tensor(named: base + "SCB") != nil {
      use(tensor.name)
      if reader.tensor(named: base + "weight_format") != nil { use(base + "weight_format") }
      guard tensor.shape.dimensions.count == 2 else {
        refuse(tensor, "is no matrix, but \(tensor.shape)")
        return nil
      }
      return part(base, "SCB", shapes: [[tensor.shape.rows]], types: [.float32]).map {
        RowScaledWeight(shape: tensor.shape, codes: tensor, scales: $0.name)
      }
    }
    guard tensor.type == .uint8 else { return nil }
    for kind in ["nf4", "fp4"] {
      let name = tensor.name + Self.statePrefix + kind
      if let state = reader.tensor(named: name) { return try fourBits(tensor, state) }
    }
    return nil
  }

  private mutating func fourBits(
    _ tensor: StoredTensor, _ state: StoredTensor
  ) throws(CheckpointError) -> (any StoredWeight)? {
    use(tensor.name)
    use(state.name)
    let view = try reader.view(state.name)
    let bytes = withExtendedLifetime(view) { Array(view.bytes) }
    let json = (try? JSONParser.parse(bytes))?.object
    let sizes = json?["shape"]?.array?.compactMap(\.int) ?? []
    guard let json, sizes.count == 2, sizes.allSatisfy({ (1..<1 << 28).contains($0) }),
      let block = json["blocksize"]?.int, block > 0
    else {
      refuse(state, "says no shape [out, in] and blocksize")
      return nil
    }
    let count = sizes[0] * sizes[1], blocks = (count + block - 1) / block
    guard tensor.shape.elementCount == (count + 1) / 2 else {
      refuse(tensor, "holds \(tensor.shape) bytes, for \(count) codes of 4 bits")
      return nil
    }
    let table = part(tensor.name, ".quant_map", shapes: [[16]], types: [.float32])
    var nested: (blockSize: Int, offset: Float)?
    var isSound = table != nil
    if let size = json["nested_blocksize"]?.int {
      guard size > 0, let offset = json["nested_offset"]?.double else {
        refuse(state, "says no nested_blocksize and nested_offset")
        return nil
      }
      nested = (size, Float(offset))
      let map = part(tensor.name, ".nested_quant_map", shapes: [[256]], types: [.float32])
      let outer = part(
        tensor.name, ".nested_absmax", shapes: [[(blocks + size - 1) / size]], types: [.float32])
      isSound = isSound && map != nil && outer != nil
    }
    let scales = part(
      tensor.name, ".absmax", shapes: [[blocks]], types: [nested == nil ? .float32 : .uint8])
    guard isSound, scales != nil else { return nil }
    return FourBitWeight(shape: Shape(sizes), codes: tensor, blockSize: block, nested: nested)
  }
}
