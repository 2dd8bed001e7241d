import Checkpoints
import TensorTypes

/// A weight of GPTQ or AWQ: integer codes in words of 32 bits, scales and zero points for groups of
/// inputs. W[o][i] = (code − zero[g(i)][o]) · scale[g(i)][o].
struct PackedCodes: StoredWeight {
  let shape: Shape
  let base: String
  let bits: Int
  /// Inputs of a group; nil when `g_idx` says which group an input is in.
  let groupSize: Int?
  let groups: Int
  /// What is added to stored zero points, in `bits` bits.
  let zeroOffset: Int
  /// Whether a word holds outputs of one input (AWQ), not inputs of one output (GPTQ).
  let packsOutputs: Bool
  let codes: StoredTensor

  /// Where each output of a word of AWQ lies, in units of 4 bits.
  private static let awqPlaces = [0, 4, 1, 5, 2, 6, 3, 7]

  func decode(
    from reader: any CheckpointReader, into values: UnsafeMutableBufferPointer<Float>
  ) throws(CheckpointError) {
    let inputs = shape.columns, outputs = shape.rows, perWord = 32 / bits
    let mask = UInt32(1) << UInt32(bits) - 1
    let scales = try reader.floats(base + "scales")
    let zeros = try zeroPoints(reader)
    let group = try groupOfInput(reader)
    let view = try reader.view(codes.name)
    func word(_ index: Int) -> UInt32 {
      view.bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
    }
    withExtendedLifetime(view) {
      if packsOutputs {
        let words = outputs / perWord
        for output in 0..<outputs {
          let shift = UInt32(Self.awqPlaces[output % perWord] * bits)
          for input in 0..<inputs {
            let code = word(input * words + output / perWord) >> shift & mask
            let place = group[input] * outputs + output
            values[output * inputs + input] = (Float(code) - zeros[place]) * scales[place]
          }
        }
      } else {
        for first in stride(from: 0, to: inputs, by: perWord) {
          for output in 0..<outputs {
            var rest = word(first / perWord * outputs + output)
            for input in first..<first + perWord {
              let place = group[input] * outputs + output
              values[output * inputs + input] = (Float(rest & mask) - zeros[place]) * scales[place]
              rest >>= UInt32(bits)
            }
          }
        }
      }
    }
    view.discard()
  }

  /// Zero points [groups, out].
  private func zeroPoints(_ reader: any CheckpointReader) throws(CheckpointError) -> [Float] {
    let outputs = shape.rows, perWord = 32 / bits, mask = 1 << bits - 1
    let view = try reader.view(base + "qzeros")
    return withExtendedLifetime(view) {
      (0..<groups * outputs).map { index in
        let output = index % outputs, row = index / outputs
        let offset = 4 * (row * (outputs / perWord) + output / perWord)
        let word = view.bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
        let place = packsOutputs ? Self.awqPlaces[output % perWord] : output % perWord
        return Float((Int(word >> UInt32(place * bits)) + zeroOffset) & mask)
      }
    }
  }

  /// The group of each input.
  private func groupOfInput(_ reader: any CheckpointReader) throws(CheckpointError) -> [Int] {
    if let groupSize { return (0..<shape.columns).map { $0 / groupSize } }
    let name = base + "g_idx"
    let view = try reader.view(name)
    let found = withExtendedLifetime(view) {
      (0..<shape.columns).map {
        Int(view.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self))
      }
    }
    if let input = found.firstIndex(where: { !(0..<groups).contains($0) }) {
      throw .malformed(
        file: reader.tensor(named: name)?.file ?? "", format: "GPTQ",
        offset: (reader.tensor(named: name)?.offset ?? 0) + 4 * input,
        reason: "\(name) puts input \(input) into group \(found[input]) of \(groups)")
    }
    return found
  }
}

extension WeightParts {
  /// A weight of GPTQ: `qweight` [in · bits / 32, out], `qzeros` [groups, out · bits / 32], `scales`
  /// [groups, out], and `g_idx` [in] where inputs were reordered.
  mutating func gptq(
    _ tensor: StoredTensor, bits: Int, groupSize: Int?, zeroOffset: Int
  ) -> (any StoredWeight)? {
    let perWord = 32 / bits
    guard let (rows, columns) = matrix(tensor) else { return nil }
    let (inputs, outputs) = (rows * perWord, columns)
    let base = String(tensor.name.dropLast("qweight".count))
    let hasOrder = reader.tensor(named: base + "g_idx") != nil
    let order =
      hasOrder ? part(base, "g_idx", shapes: [[inputs]], types: [.int32]) : tensor
    return packed(
      tensor, base, inputs: inputs, outputs: outputs, bits: bits, groupSize: groupSize,
      zeroOffset: zeroOffset, packsOutputs: false, readsOrder: hasOrder, isSound: order != nil)
  }

  /// A weight of AWQ: `qweight` [in, out / 8], `qzeros` [groups, out / 8], `scales` [groups, out].
  mutating func awq(_ tensor: StoredTensor, groupSize: Int?) -> (any StoredWeight)? {
    guard let (rows, columns) = matrix(tensor) else { return nil }
    let base = String(tensor.name.dropLast("qweight".count))
    return packed(
      tensor, base, inputs: rows, outputs: columns * 8, bits: 4, groupSize: groupSize,
      zeroOffset: 0, packsOutputs: true, readsOrder: false, isSound: true)
  }

  /// The sizes of a matrix of words; nil with a problem when it is none.
  private mutating func matrix(_ tensor: StoredTensor) -> (rows: Int, columns: Int)? {
    use(tensor.name)
    guard tensor.type == .int32 else {
      refuse(tensor, "holds \(tensor.type.rawValue), not words of int32")
      return nil
    }
    let sizes = tensor.shape.dimensions
    guard sizes.count == 2, sizes[0] < 1 << 28, sizes[1] < 1 << 28 else {
      refuse(tensor, "holds no matrix of words, but \(tensor.shape)")
      return nil
    }
    return (sizes[0], sizes[1])
  }

  private mutating func packed(
    _ tensor: StoredTensor, _ base: String, inputs: Int, outputs: Int, bits: Int, groupSize: Int?,
    zeroOffset: Int, packsOutputs: Bool, readsOrder: Bool, isSound: Bool
  ) -> (any StoredWeight)? {
    let size = groupSize ?? max(inputs, 1)
    let groups = (inputs + size - 1) / size
    guard outputs.isMultiple(of: 32 / bits) else {
      refuse(tensor, "has \(outputs) outputs, no multiple of \(32 / bits)")
      return nil
    }
    let scales = part(
      base, "scales", shapes: [[groups, outputs]], types: [.float16, .bfloat16, .float32])
    let zeros = part(
      base, "qzeros", shapes: [[groups, outputs * bits / 32]], types: [.int32])
    guard isSound, scales != nil, zeros != nil else { return nil }
    return PackedCodes(
      shape: [outputs, inputs], base: base, bits: bits, groupSize: readsOrder ? nil : size,
      groups: groups, zeroOffset: zeroOffset, packsOutputs: packsOutputs, codes: tensor)
  }
}
