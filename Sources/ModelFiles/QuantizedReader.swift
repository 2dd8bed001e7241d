import Architectures
import Checkpoints
import TensorTypes

/// A checkpoint of a foreign quantised form, its tensors shown as our own layouts hold them: INT8
/// codes with float32 scales, or weights that are rounded to their scales when they are decoded.
///
/// What does not fit is left as it is stored and listed in `problems`.
struct QuantizedReader: CheckpointReader {
  let stored: any CheckpointReader
  let tensors: [StoredTensor]
  let formatName: String
  /// What is not as the form asks for it.
  let problems: [ModelFile.StructureProblem]
  private let shown: [String: Shown]
  private let byName: [String: StoredTensor]

  var files: [String] { stored.files }

  /// A tensor that is shown in another way than it is stored.
  private enum Shown {
    /// Codes as our layouts pack them, from int32 words: bytes of four codes + 128, or of eight of 4 bits,
    /// which lie as ours do.
    case unpacked(from: String, as: StoredTensor)
    /// The values of a float tensor as float32.
    case widened(as: StoredTensor)
    /// The codes of a tensor of blocks of the same name.
    case codes(as: StoredTensor)
    /// The scales of a tensor of blocks as float32 [out, groups], one for each `blocks` blocks.
    case scales(of: String, as: StoredTensor, blocks: Int)
    /// A weight rounded to the scales in another tensor, and then to its own type.
    case snapped(to: String, groupSize: Int)
  }

  /// - Parameters:
  ///   - shown: what is shown in another way, by the name it is shown under.
  ///   - hidden: stored tensors that are not shown.
  private init(
    _ stored: any CheckpointReader, form: String, shown: [String: Shown], hidden: Set<String>,
    problems: [ModelFile.StructureProblem]
  ) {
    self.stored = stored
    self.shown = shown
    self.problems = problems
    formatName = "\(stored.formatName), \(form)"
    var sources: [String: [StoredTensor]] = [:]
    for (name, way) in shown {
      switch way {
      case .unpacked(let source, let tensor): sources[source] = [tensor]
      case .widened(let tensor): sources[name] = [tensor]
      case .codes(let tensor): sources[name, default: []].insert(tensor, at: 0)
      case .scales(let source, let tensor, _): sources[source, default: []].append(tensor)
      case .snapped: break
      }
    }
    tensors = stored.tensors.flatMap { tensor in
      hidden.contains(tensor.name) ? [] : sources[tensor.name] ?? [tensor]
    }
    byName = Dictionary(tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  func tensor(named name: String) -> StoredTensor? { byName[name] }

  func view(_ name: String) throws(CheckpointError) -> TensorView {
    switch shown[name] {
    case nil: return try stored.view(name)
    case .unpacked(let source, let tensor):
      let words = try stored.view(source)
      if tensor.type == .uint8 {
        return TensorView(
          bytes: words.bytes, type: .uint8, shape: tensor.shape, storage: words.storage)
      }
      let storage = MemoryStorage(count: words.bytes.count)
      // Little-endian words of code + 128 are bytes of code + 128 in order.
      for (index, byte) in words.bytes.enumerated() { storage.bytes[index] = byte ^ 0x80 }
      words.discard()
      return storage.view(.int8, shape: tensor.shape)
    case .widened(let tensor):
      return MemoryStorage.view(try stored.view(name).floatElements, shape: tensor.shape)
    case .codes(let tensor): return try stored.view(name).codes(of: tensor)
    case .scales(let source, let tensor, let blocks):
      return try stored.view(source).scales(of: tensor, blocks: blocks)
    case .snapped(let scales, let groupSize):
      let weight = try stored.view(name), scales = try stored.view(scales)
      let grid = ScaleGrid(scales: scales.matrix(rows: weight.rows), groupSize: groupSize)
      let values = weight.rounded(to: grid)
      return weight.type == .float32 ? values : values.rounded(to: weight.type)
    }
  }

  /// Whether `reader` holds the scales of the public W8ASpike variant.
  static func isW8ASpike(_ reader: any CheckpointReader) -> Bool {
    reader.tensors.contains { $0.name.hasSuffix(".weight" + W8ASpike.scaleSuffix) }
  }

  /// The W8ASpike variant of `model`.
  init(w8aspike reader: any CheckpointReader, model: ModelDescription, names: NameTable) {
    var shown: [String: Shown] = [:], hidden: Set<String> = []
    var problems: [ModelFile.StructureProblem] = []
    for requirement in model.requirements
    where W8ASpike.roles.contains(requirement.address.role)
      && requirement.address.parameter == .weight
    {
      guard let name = names.name(of: requirement.address) else { continue }
      let scaleName = name + W8ASpike.scaleSuffix
      let rows = requirement.shape.rows, columns = requirement.shape.columns
      let isDivided = columns % W8ASpike.groupSize == 0
      let grouped: Shape = [rows, columns / W8ASpike.groupSize, 1], byRow: Shape = [rows, 1]
      let expected = isDivided ? grouped : byRow
      guard let scales = reader.tensor(named: scaleName) else {
        problems.append(.missing(name: scaleName, shape: expected))
        continue
      }
      hidden.insert(scaleName)
      guard scales.type == .float32 else {
        problems.append(
          .type(name: scaleName, type: scales.type, expected: .float32, file: scales.file))
        continue
      }
      guard scales.shape == expected || scales.shape == byRow else {
        problems.append(
          .shape(name: scaleName, expected: expected, got: scales.shape, file: scales.file))
        continue
      }
      guard W8ASpike.rounds(requirement.address.role),
        reader.tensor(named: name)?.shape == requirement.shape
      else { continue }
      shown[name] = .snapped(
        to: scaleName, groupSize: scales.shape == grouped ? W8ASpike.groupSize : max(columns, 1))
    }
    self.init(reader, form: "W8ASpike", shown: shown, hidden: hidden, problems: problems)
  }

  /// Projections stored as `scheme` says.
  init(
    _ reader: any CheckpointReader, scheme: CompressedTensors, model: ModelDescription,
    names: NameTable
  ) throws(CheckpointError) {
    var shown: [String: Shown] = [:], hidden: Set<String> = []
    var problems: [ModelFile.StructureProblem] = []
    for requirement in model.requirements where requirement.type != nil {
      guard let name = names.name(of: requirement.address) else { continue }
      if requirement.address.parameter == .scale {
        guard let scales = reader.tensor(named: name), scales.shape == requirement.shape,
          [.bfloat16, .float16].contains(scales.type)
        else { continue }
        var wide = scales
        wide.type = .float32
        shown[name] = .widened(as: wide)
      } else if scheme.format == .packed {
        let found = try PackedWeight(
          named: name, shape: requirement.shape, of: scheme.quantization.codes, in: reader)
        problems += found.problems
        hidden.insert(name + CompressedTensors.shapeSuffix)
        if let tensor = found.tensor {
          shown[name] = .unpacked(from: name + CompressedTensors.packedSuffix, as: tensor)
        } else {
          hidden.insert(name + CompressedTensors.packedSuffix)
        }
      }
    }
    self.init(
      reader, form: "compressed-tensors \(scheme.format.rawValue)", shown: shown, hidden: hidden,
      problems: problems)
  }

  /// Projections in blocks: their codes and scales, where `model` calls for integers.
  init(blocks reader: any CheckpointReader, model: ModelDescription, names: NameTable) {
    var shown: [String: Shown] = [:]
    for requirement in model.requirements where requirement.address.parameter == .weight {
      var address = requirement.address
      guard let quantization = model.quantization(of: address), let name = names.name(of: address),
        let stored = reader.tensor(named: name), stored.type == quantization.codes.blocks,
        stored.shape == [
          requirement.shape.rows, requirement.shape.columns * quantization.codes.perElement,
        ]
      else { continue }
      let granularity = quantization.granularity
      address.parameter = .scale
      let size = granularity.size(columns: stored.shape.columns)
      guard let scaleName = names.name(of: address), size % stored.type.blockElements == 0 else {
        continue
      }
      var codes = stored, scales = stored
      codes.type = quantization.codes.type
      codes.shape = requirement.shape
      scales.name = scaleName
      scales.type = .float32
      scales.shape = [
        stored.shape.rows, granularity.scales(columns: stored.shape.columns),
      ]
      shown[name] = .codes(as: codes)
      shown[scaleName] = .scales(
        of: name, as: scales, blocks: size / stored.type.blockElements)
    }
    let form = (model.quantization?.codes ?? .int8).blocks.rawValue.uppercased()
    self.init(reader, form: form, shown: shown, hidden: [], problems: [])
  }
}

extension TensorView {
  /// The same elements as a matrix of `rows` rows.
  fileprivate func matrix(rows: Int) -> TensorView {
    TensorView(
      bytes: bytes, type: type, shape: [rows, shape.elementCount.map { $0 / max(rows, 1) } ?? 0],
      storage: storage)
  }

  /// The codes of blocks, shown as `tensor`.
  fileprivate func codes(of tensor: StoredTensor) -> TensorView {
    let block = type.blockBytes, size = block - 2, count = bytes.count / block
    let storage = MemoryStorage(count: count * size)
    for index in 0..<count {
      let codes = UnsafeRawBufferPointer(rebasing: bytes[index * block + 2..<(index + 1) * block])
      let target = UnsafeMutableRawBufferPointer(
        rebasing: storage.bytes[index * size..<(index + 1) * size])
      if tensor.type == .int8 {
        target.copyMemory(from: codes)
      } else {
        // The first half of a block lies in the lower halves of its bytes, the second in the upper ones.
        for place in 0..<size / 2 {
          let first = codes[2 * place], second = codes[2 * place + 1]
          target[place] = first & 15 | second << 4
          target[place + size / 2] = first >> 4 | second & 0xf0
        }
      }
    }
    discard()
    return storage.view(tensor.type, shape: tensor.shape)
  }

  /// The scales of blocks, shown as `tensor`; throws when `blocks` neighbours, which have one
  /// in the model, differ.
  fileprivate func scales(of tensor: StoredTensor, blocks: Int) throws(CheckpointError)
    -> TensorView
  {
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

/// The words of a packed weight and the shape that is stored beside them.
private struct PackedWeight {
  /// The weight as codes; nil when something is wrong.
  private(set) var tensor: StoredTensor?
  private(set) var problems: [ModelFile.StructureProblem] = []

  /// - Parameter shape: of the tensor of codes.
  init(
    named name: String, shape: Shape, of codes: WeightCodes, in reader: any CheckpointReader
  ) throws(CheckpointError) {
    // Bytes of our layout are the same bytes as words.
    let packedName = name + CompressedTensors.packedSuffix
    let packedShape: Shape = [shape.rows, (shape.columns + 3) / 4]
    let columns = shape.columns * codes.perElement
    let words = check(packedName, packedShape, .int32, in: reader)
    let shapeName = name + CompressedTensors.shapeSuffix
    if let stored = check(shapeName, [2], .int64, in: reader) {
      let view = try reader.view(shapeName)
      let dimensions = withExtendedLifetime(view) {
        (0..<2).map { view.bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self) }
      }
      if dimensions != [Int64(shape.rows), Int64(columns)] {
        problems.append(
          .content(
            name: shapeName,
            reason:
              "says \(dimensions), the configuration calls for \(Shape([shape.rows, columns]))",
            file: stored.file))
      }
    }
    if let words, shape.columns % 4 != 0 {
      problems.append(
        .content(
          name: packedName,
          reason: "holds rows of \(columns), no multiple of \(4 * codes.perElement)",
          file: words.file))
    }
    guard problems.isEmpty, var words else { return }
    words.name = name
    words.type = codes.type
    words.shape = shape
    tensor = words
  }

  /// The tensor `name`; nil with a problem when it is not what is expected.
  private mutating func check(
    _ name: String, _ shape: Shape, _ type: ScalarType, in reader: any CheckpointReader
  ) -> StoredTensor? {
    guard let tensor = reader.tensor(named: name) else {
      problems.append(.missing(name: name, shape: shape))
      return nil
    }
    if tensor.shape != shape {
      problems.append(.shape(name: name, expected: shape, got: tensor.shape, file: tensor.file))
    } else if tensor.type != type {
      problems.append(.type(name: name, type: tensor.type, expected: type, file: tensor.file))
    } else {
      return tensor
    }
    return nil
  }
}
