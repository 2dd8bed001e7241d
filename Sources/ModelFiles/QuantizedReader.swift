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
  enum Shown {
    /// Int8 codes [out, in] from int32 words of four codes + 128.
    case unpacked(from: String, as: StoredTensor)
    /// The values of a float tensor as float32.
    case widened(as: StoredTensor)
    /// Int8 codes of a Q8_0 tensor of the same name.
    case codes(as: StoredTensor)
    /// The scales of a Q8_0 tensor as float32 [out, groups], one for each `blocks` blocks.
    case scales(of: String, as: StoredTensor, blocks: Int)
    /// A weight rounded to the scales in another tensor, and then to its own type.
    case snapped(to: String, groupSize: Int)
  }

  /// - Parameters:
  ///   - shown: what is shown in another way, by the name it is shown under.
  ///   - hidden: stored tensors that are not shown.
  init(
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
      let storage = MemoryStorage(count: words.bytes.count)
      // Little-endian words of code + 128 are bytes of code + 128 in order.
      for (index, byte) in words.bytes.enumerated() { storage.bytes[index] = byte ^ 0x80 }
      words.discard()
      return TensorView(
        bytes: UnsafeRawBufferPointer(rebasing: storage.bytes[..<words.bytes.count]), type: .int8,
        shape: tensor.shape, storage: storage)
    case .widened(let tensor):
      return MemoryStorage.view(try stored.view(name).widened, shape: tensor.shape)
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
}

extension TensorView {
  /// The elements of a tensor of 16- or 32-bit floats.
  fileprivate var widened: [Float] {
    (0..<rows * columns).map { index in
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

  /// The same elements as a matrix of `rows` rows.
  fileprivate func matrix(rows: Int) -> TensorView {
    TensorView(
      bytes: bytes, type: type, shape: [rows, shape.elementCount.map { $0 / max(rows, 1) } ?? 0],
      storage: storage)
  }
}
