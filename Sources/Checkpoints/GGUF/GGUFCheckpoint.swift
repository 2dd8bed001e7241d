public import TensorTypes

/// A GGUF model of one file, or of several whose first is opened.
public struct GGUFCheckpoint: CheckpointReader {
  public let formatName = "gguf"
  public let tensors: [StoredTensor]
  /// The key-value section of the first file: that of the model.
  public let metadata: GGUFMetadata

  private let parts: [GGUFFile]
  private let partOfName: [String: Int]

  public var files: [String] { parts.flatMap(\.files) }

  /// Opens the file at `path` and the other parts beside it, which its name says how to find.
  public init(path: String) throws(CheckpointError) {
    let first = try GGUFFile(part: path)
    var parts = [first]
    let count = first.partCount
    if count > 1 {
      let directory = RelativeName.directory(path)
      let name = path.split(separator: "/").last.map(String.init) ?? path
      guard let place = GGUFSplit.parse(name), place.number == 0, place.count == count,
        count <= GGUFSplit.mostParts
      else { throw .splitFile(file: path, count: count) }
      let others = (1..<count).map { GGUFSplit.name(place.stem, $0, of: count) }
      let missing = others.filter { !FileStatus.exists(RelativeName.join(directory, $0)) }
      guard missing.isEmpty else { throw .missingShards(index: path, files: missing) }
      for other in others { parts.append(try GGUFFile(part: RelativeName.join(directory, other))) }
      try GGUFCheckpoint.check(parts)
    }
    var partOfName: [String: Int] = [:]
    for (number, part) in parts.enumerated() {
      for tensor in part.tensors {
        if let other = partOfName.updateValue(number, forKey: tensor.name) {
          throw .duplicateTensor(
            tensor: tensor.name, first: parts[other].files[0], second: tensor.file)
        }
      }
    }
    self.parts = parts
    self.partOfName = partOfName
    metadata = first.metadata
    tensors = parts.flatMap(\.tensors)
  }

  /// Every part is what its name says, and together they hold as many tensors as they say.
  private static func check(_ parts: [GGUFFile]) throws(CheckpointError) {
    let tensors = parts.reduce(0) { $0 + $1.tensors.count }
    for (number, part) in parts.enumerated() {
      for (key, expected) in [
        (GGUFSplit.numberKey, number), (GGUFSplit.countKey, parts.count),
        (GGUFSplit.tensorCountKey, tensors),
      ] where part.metadata.int(key) != expected {
        throw .splitField(
          file: part.files[0], key: key, expected: expected, got: part.metadata.int(key))
      }
    }
  }

  public func tensor(named name: String) -> StoredTensor? {
    partOfName[name].flatMap { parts[$0].tensor(named: name) }
  }

  public func view(_ name: String) throws(CheckpointError) -> TensorView {
    guard let part = partOfName[name] else {
      throw .noSuchTensor(file: files.joined(separator: ", "), tensor: name)
    }
    return try parts[part].view(name)
  }
}
