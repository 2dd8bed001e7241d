import TensorTypes

/// What the file `.metadata` of a PyTorch distributed checkpoint says: which tensors there are, how
/// they are cut into chunks, and where the chunks lie. Specified in `formats/dcp/README.md`.
struct DistributedMetadata {
  /// The name of the file.
  static let fileName = ".metadata"

  /// A tensor and its chunks.
  struct Tensor {
    var name: String
    var type: ScalarType
    var shape: [Int]
    var chunks: [TensorBox]
  }

  /// A run of bytes that holds one chunk, or an object that is no tensor.
  struct Item {
    var name: String
    /// The first element of the chunk; nil for an object.
    var offsets: [Int]?
    /// The file, relative to the directory.
    var file: String
    var offset: Int
    var length: Int
  }

  /// The tensors in the order of the file.
  private(set) var tensors: [Tensor] = []
  /// The names of what is no tensor.
  private(set) var objects: Set<String> = []
  /// Where things lie.
  private(set) var items: [Item] = []

  private let path: String
  private let heap: PickleHeap

  /// Reads the file at `path`; checks what can be checked without the others.
  init(path: String) throws(CheckpointError) {
    let file = try MappedFile.checkpoint(path)
    defer { withExtendedLifetime(file) {} }
    let (value, heap) = try PickleMachine.run(
      file.bytes, file: path, limit: PickleMachine.metadataLimit)
    self.path = path
    self.heap = heap
    let members = try attributes(value, of: .metadata)
    try readEntries(attribute("state_dict_metadata", members, of: .metadata))
    try readItems(attribute("storage_data", members, of: .metadata))
  }

  /// The error that `reason` is.
  func malformed(_ reason: String) -> CheckpointError {
    .malformed(file: path, format: "distributed checkpoint", offset: 0, reason: reason)
  }

  private mutating func readEntries(
    _ reference: PickleHeap.Reference
  ) throws(CheckpointError) {
    guard let entries = heap.members(reference) else {
      throw malformed("state_dict_metadata is no dictionary of names")
    }
    var names: Set<String> = []
    for (name, value) in entries {
      guard names.insert(name).inserted else {
        throw .duplicateTensor(tensor: name, first: path, second: path)
      }
      switch heap[value] {
      case .object(.bytesMetadata, _): objects.insert(name)
      case .object(.tensorMetadata, _): tensors.append(try tensor(name, value))
      default: throw malformed("\(name) is neither a tensor nor an object")
      }
    }
  }

  private func tensor(
    _ name: String, _ reference: PickleHeap.Reference
  ) throws(CheckpointError) -> Tensor {
    let members = try attributes(reference, of: .tensorMetadata)
    let properties = try attribute("properties", members, of: .tensorMetadata)
    guard case .object(.properties, let state?) = heap[properties],
      case .tuple(let fields) = heap[state], let first = fields.first,
      case .global(.type(let type)) = heap[first]
    else { throw malformed("tensor \(name) has no type") }
    guard case .list(let list) = heap[try attribute("chunks", members, of: .tensorMetadata)] else {
      throw malformed("tensor \(name) has no list of chunks")
    }
    var chunks: [TensorBox] = []
    for item in list {
      let fields = try attributes(item, of: .chunk)
      chunks.append(
        TensorBox(
          offsets: try integers("offsets", fields, of: .chunk),
          sizes: try integers("sizes", fields, of: .chunk)))
    }
    return Tensor(
      name: name, type: type, shape: try integers("size", members, of: .tensorMetadata),
      chunks: chunks)
  }

  private mutating func readItems(_ reference: PickleHeap.Reference) throws(CheckpointError) {
    guard case .dictionary(let entries) = heap[reference] else {
      throw malformed("storage_data is no dictionary")
    }
    for (key, value) in entries {
      let index = try attributes(key, of: .index), info = try attributes(value, of: .storageInfo)
      let name = try text("fqn", index, of: .index)
      if let transforms = info.last(where: { $0.key == "transform_descriptors" })?.value,
        !isNothing(transforms)
      {
        throw malformed("\(name) is stored in a compressed or encrypted form")
      }
      var offsets: [Int]?
      if let place = index.last(where: { $0.key == "offset" })?.value {
        if case .none = heap[place] {
          offsets = nil
        } else {
          offsets = try integers("offset", index, of: .index)
        }
      }
      items.append(
        Item(
          name: name, offsets: offsets,
          file: try text("relative_path", info, of: .storageInfo),
          offset: try number("offset", info), length: try number("length", info)))
    }
  }
}

extension DistributedMetadata {
  // Attributes of instances.

  private typealias Members = [(key: String, value: PickleHeap.Reference)]

  private func attributes(
    _ reference: PickleHeap.Reference, of kind: PickleClass
  ) throws(CheckpointError) -> Members {
    guard let members = heap.attributes(reference, of: kind) else {
      throw malformed("a \(kind) is missing")
    }
    return members
  }

  private func attribute(
    _ name: String, _ members: Members, of kind: PickleClass
  ) throws(CheckpointError) -> PickleHeap.Reference {
    guard let member = members.last(where: { $0.key == name }) else {
      throw malformed("a \(kind) has no \(name)")
    }
    return member.value
  }

  private func integers(
    _ name: String, _ members: Members, of kind: PickleClass
  ) throws(CheckpointError) -> [Int] {
    guard let integers = heap.integers(try attribute(name, members, of: kind)) else {
      throw malformed("\(name) of a \(kind) is not made of integers")
    }
    return integers
  }

  private func text(
    _ name: String, _ members: Members, of kind: PickleClass
  ) throws(CheckpointError) -> String {
    guard case .text(let text) = heap[try attribute(name, members, of: kind)] else {
      throw malformed("\(name) of a \(kind) is no text")
    }
    return text
  }

  private func number(_ name: String, _ members: Members) throws(CheckpointError) -> Int {
    guard case .int(let number) = heap[try attribute(name, members, of: .storageInfo)],
      number >= 0
    else { throw malformed("\(name) of a _StorageInfo is no size") }
    return number
  }

  /// None, or nothing in a list.
  private func isNothing(_ reference: PickleHeap.Reference) -> Bool {
    switch heap[reference] {
    case .none: true
    case .list(let items), .tuple(let items): items.isEmpty
    default: false
    }
  }
}
