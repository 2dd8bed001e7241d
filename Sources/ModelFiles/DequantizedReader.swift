import Architectures
import Checkpoints
import TensorTypes

/// A checkpoint whose linear maps are stored as codes that several tensors hold, each shown as one
/// float32 tensor `….weight` [out, in]: codes · scales, as the libraries that wrote them compute it.
///
/// A weight is computed when it is asked for. What does not fit is left out and listed in `problems`.
struct DequantizedReader: ShownReader {
  let stored: any CheckpointReader
  let tensors: [StoredTensor]
  let formatName: String
  let problems: [ModelFile.StructureProblem]
  private let weights: [String: any StoredWeight]
  private let byName: [String: StoredTensor]

  var files: [String] { stored.files }
  var notes: [String] { stored.notes }

  init(
    _ stored: any CheckpointReader, method: QuantizationMethod
  ) throws(CheckpointError) {
    self.stored = stored
    formatName = "\(stored.formatName), \(method.text)"
    var parts = WeightParts(stored)
    var shown: [String: any StoredWeight] = [:]
    var tensors: [StoredTensor] = []
    for tensor in stored.tensors {
      guard let weight = try parts.weight(of: tensor, method) else {
        tensors.append(tensor)
        continue
      }
      var shownTensor = tensor
      shownTensor.name = parts.name(of: tensor)
      shownTensor.type = .float32
      shownTensor.shape = weight.shape
      shown[shownTensor.name] = weight
      tensors.append(shownTensor)
    }
    weights = shown
    problems = parts.problems
    let used = parts.used
    self.tensors = tensors.filter { shown[$0.name] != nil || !used.contains($0.name) }
    byName = Dictionary(
      self.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  func tensor(named name: String) -> StoredTensor? { byName[name] }

  func view(_ name: String) throws(CheckpointError) -> TensorView {
    guard let weight = weights[name] else { return try stored.view(name) }
    let storage = MemoryStorage(count: weight.shape.rows * weight.shape.columns * 4)
    try weight.decode(from: stored, into: storage.bytes.bindMemory(to: Float.self))
    return storage.view(.float32, shape: weight.shape)
  }
}

/// A weight that several tensors hold.
protocol StoredWeight: Sendable {
  /// [out, in].
  var shape: Shape { get }
  /// Writes the values, row by row.
  func decode(
    from reader: any CheckpointReader, into values: UnsafeMutableBufferPointer<Float>
  ) throws(CheckpointError)
}

/// Finds the tensors of weights.
struct WeightParts {
  let reader: any CheckpointReader
  private(set) var problems: [ModelFile.StructureProblem] = []
  /// Stored tensors that are a part of a weight.
  private(set) var used: Set<String> = []

  init(_ reader: any CheckpointReader) { self.reader = reader }

  /// What the weight is called whose codes `tensor` holds.
  func name(of tensor: StoredTensor) -> String {
    tensor.name.hasSuffix(".qweight")
      ? String(tensor.name.dropLast("qweight".count)) + "weight" : tensor.name
  }

  /// The weight whose codes `tensor` holds; nil if it holds none.
  mutating func weight(
    of tensor: StoredTensor, _ method: QuantizationMethod
  ) throws(CheckpointError) -> (any StoredWeight)? {
    let weight: (any StoredWeight)?
    switch method {
    case .gptq(let bits, let size, let offset):
      guard tensor.name.hasSuffix(".qweight") else { return nil }
      weight = gptq(tensor, bits: bits, groupSize: size, zeroOffset: offset)
    case .awq(let size):
      guard tensor.name.hasSuffix(".qweight") else { return nil }
      weight = awq(tensor, groupSize: size)
    case .float8(let block):
      if tensor.name.hasSuffix(".input_scale") { used.insert(tensor.name) }
      guard [.float8_e4m3, .float8_e5m2].contains(tensor.type) else { return nil }
      weight = float8(tensor, block: block)
    case .bitsAndBytes: weight = try bitsAndBytes(tensor)
    }
    return weight
  }

  /// The part `suffix` of the weight `base`, of one of some shapes and types; nil with a problem when
  /// it is not.
  mutating func part(
    _ base: String, _ suffix: String, shapes: [Shape], types: Set<ScalarType>
  ) -> StoredTensor? {
    let name = base + suffix
    guard let tensor = reader.tensor(named: name) else {
      problems.append(.missing(name: name, shape: shapes[0]))
      return nil
    }
    used.insert(name)
    guard shapes.contains(tensor.shape) else {
      problems.append(
        .shape(name: name, expected: shapes[0], got: tensor.shape, file: tensor.file))
      return nil
    }
    guard types.contains(tensor.type) else {
      let expected = ScalarType.allCases.first(where: types.contains)
      problems.append(
        .type(name: name, type: tensor.type, expected: expected, file: tensor.file))
      return nil
    }
    return tensor
  }

  /// Notes what is wrong with the content of `tensor`.
  mutating func refuse(_ tensor: StoredTensor, _ reason: String) {
    problems.append(.content(name: tensor.name, reason: reason, file: tensor.file))
    used.insert(tensor.name)
  }

  /// Notes that `name` is a part of a weight.
  mutating func use(_ name: String) { used.insert(name) }
}

extension CheckpointReader {
  /// The elements of a tensor of floats as float32.
  func floats(_ name: String) throws(CheckpointError) -> [Float] {
    let view = try view(name)
    return withExtendedLifetime(view) { view.floatElements }
  }
}

extension TensorView {
  /// The elements of a tensor of 16- or 32-bit floats.
  var floatElements: [Float] {
    let count = type.blockBytes == 0 ? 0 : bytes.count / type.blockBytes
    return (0..<count).map { index in
      switch type {
      case .bfloat16:
        let half = bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
        return Float(bitPattern: UInt32(half) << 16)
      case .float16:
        return Float(bytes.loadUnaligned(fromByteOffset: 2 * index, as: Float16.self))
      default: return bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
      }
    }
  }
}
