public import StrictJSON
public import TensorTypes

/// One PyTorch checkpoint file (`.bin`, `.pt`, `.pth`): a zip archive with a pickle that describes
/// tensors, and their storages.
///
/// Specified in `formats/pytorch/README.md`. The pickle is read by a machine that knows the few names
/// checkpoints need and runs nothing; checksums are compared, that of a storage when it is first
/// looked at.
public struct PyTorchFile: ShardFile {
  public static let singleName = "pytorch_model.bin"

  /// First bytes of such files: a zip archive, or a bare pickle of old times.
  static let magics: [[UInt8]] = [[0x50, 0x4b, 0x03, 0x04], [0x80, 0x02]]

  public let formatName = "PyTorch"
  public let tensors: [StoredTensor]
  /// Numbers, text and arguments that lie beside the dictionary of tensors.
  public let settings: JSONObject

  private let file: MappedFile
  private let places: [String: Place]
  private let checked = CheckedEntries()

  /// Where a tensor lies.
  struct Place {
    var index: Int
    var entry: ZipDirectory.Entry
    /// Bytes from one index to the next, for each dimension; nil when it is contiguous.
    var strides: [Int]?
  }

  public var files: [String] { [file.path] }

  /// Maps the file at `path` and reads all of its description.
  public init(path: String) throws(CheckpointError) {
    let file = try MappedFile.checkpoint(path)
    defer { withExtendedLifetime(file) {} }
    if file.bytes.starts(with: PyTorchFile.magics[1]) {
      throw .formatNotSupported(path: path, format: "PyTorch (before 1.6) or bare pickle")
    }
    let archive = try PickledArchive(file, range: 0..<file.bytes.count)
    var tensors: [(tensor: StoredTensor, place: Place)] = []
    let parameters = try PyTorchFile.parameters(archive.value, archive.heap, file: path)
    for (name, tensor) in parameters {
      let entry = try archive.entry(of: tensor.storage, for: name)
      tensors.append(try PyTorchFile.place(tensor, named: name, in: entry, file: path))
    }
    tensors.sort {
      ($0.tensor.offset, $0.tensor.name) < ($1.tensor.offset, $1.tensor.name)
    }
    var places: [String: Place] = [:]
    for (index, item) in tensors.enumerated() {
      var place = item.place
      place.index = index
      guard places.updateValue(place, forKey: item.tensor.name) == nil else {
        throw .duplicateTensor(tensor: item.tensor.name, first: path, second: path)
      }
    }
    self.file = file
    settings = archive.heap.settings(archive.value)
    self.tensors = tensors.map(\.tensor)
    self.places = places
  }

  /// Keys under which trainers put the parameters.
  private static let wrappers = ["state_dict", "model_state_dict", "model", "module", "checkpoint"]
  /// Dictionaries inside each other that are looked through.
  private static let wrapperDepth = 4

  /// The named tensors of a state dictionary, or of one inside it that holds more.
  private static func parameters(
    _ value: PickleHeap.Reference, _ heap: PickleHeap, file: String
  ) throws(CheckpointError) -> [(name: String, tensor: PickleHeap.Tensor)] {
    func tensors(
      _ reference: PickleHeap.Reference
    ) -> [(name: String, tensor: PickleHeap.Tensor)]? {
      guard let members = heap.members(reference) else { return nil }
      let found = members.compactMap { key, value -> (name: String, tensor: PickleHeap.Tensor)? in
        guard case .tensor(let tensor) = heap[value] else { return nil }
        return (key, tensor)
      }
      return found.isEmpty ? nil : found
    }
    func parameters(
      _ reference: PickleHeap.Reference, depth: Int
    ) -> [(name: String, tensor: PickleHeap.Tensor)]? {
      var found = tensors(reference)
      let members = depth == 0 ? [] : heap.members(reference) ?? []
      for wrapper in wrappers {
        guard let inner = members.last(where: { $0.key == wrapper }),
          let inside = parameters(inner.value, depth: depth - 1)
        else { continue }
        // Numbers of a training may lie beside the parameters as tensors.
        if inside.count > found?.count ?? 0 { found = inside }
      }
      return found
    }
    if let found = parameters(value, depth: wrapperDepth) { return found }
    let members = heap.members(value) ?? []
    if members.contains(where: { $0.key == "model0" }) {
      throw .formatNotSupported(
        path: file, format: "Megatron (several runs of layers in a stage)")
    }
    throw .malformed(
      file: file, format: "pickle", offset: 0, reason: "it holds no dictionary of tensors")
  }

  /// `tensor` as stored, after checking that all of it lies in `entry`.
  static func place(
    _ tensor: PickleHeap.Tensor, named name: String, in entry: ZipDirectory.Entry, file: String
  ) throws(CheckpointError) -> (tensor: StoredTensor, place: Place) {
    let shape = Shape(tensor.shape), type = tensor.type
    guard let byteCount = shape.byteCount(type) else {
      throw .sizeOverflow(file: file, tensor: name, shape: shape, type: type)
    }
    func outside() -> CheckpointError {
      .malformed(
        file: file, format: "pickle", offset: 0,
        reason: "tensor \(name) reaches outside its storage \(entry.name)")
    }
    guard tensor.strides.count == tensor.shape.count, tensor.offset >= 0,
      tensor.strides.allSatisfy({ $0 >= 0 })
    else { throw outside() }
    // The last element, and what is stored in front of it.
    var last = tensor.offset
    for (size, stride) in zip(tensor.shape, tensor.strides) where size > 0 {
      let (step, overflow) = (size - 1).multipliedReportingOverflow(by: stride)
      let (next, over) = last.addingReportingOverflow(step)
      guard !overflow, !over else { throw outside() }
      last = next
    }
    let capacity = entry.range.count / type.blockBytes
    let isEmpty = tensor.shape.contains(0)
    guard isEmpty ? tensor.offset <= capacity : last < capacity else { throw outside() }
    // A tensor that repeats its storage would be larger than the file.
    guard byteCount <= entry.range.count else { throw outside() }
    let stored = StoredTensor(
      name: name, type: type, shape: shape, file: file,
      offset: entry.range.lowerBound + tensor.offset * type.blockBytes, byteCount: byteCount)
    let strides = isContiguous(tensor) ? nil : tensor.strides.map { $0 * type.blockBytes }
    return (stored, Place(index: 0, entry: entry, strides: strides))
  }

  private static func isContiguous(_ tensor: PickleHeap.Tensor) -> Bool {
    var expected = 1
    for (size, stride) in zip(tensor.shape, tensor.strides).reversed() {
      if size == 0 { return true }
      if size != 1, stride != expected { return false }
      expected *= size
    }
    return true
  }

  public func tensor(named name: String) -> StoredTensor? {
    places[name].map { tensors[$0.index] }
  }

  public func view(_ name: String) throws(CheckpointError) -> TensorView {
    guard let place = places[name] else { throw .noSuchTensor(file: file.path, tensor: name) }
    return try file.view(of: tensors[place.index], at: place, checked: checked)
  }
}
