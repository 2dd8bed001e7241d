import StrictJSON

/// `model.safetensors.index.json`, or that of another format: which tensor lies in which shard.
struct ShardIndex {
  /// The longest index that is read, in bytes; an index names no more than the headers do.
  static let byteLimit = SafetensorsFile.headerLimit

  /// The path of the index.
  let path: String
  /// The tensor names in order of appearance, with the shard each lies in.
  let entries: [(tensor: String, file: String)]

  /// The shards in the order of their names.
  var files: [String] { Set(entries.map(\.file)).sorted() }

  /// Reads and checks the index at `path`; does not look at the shards.
  init(path: String) throws(CheckpointError) {
    self.path = path
    let document = try JSONFile.read(path, what: "index", limit: ShardIndex.byteLimit)
    guard let map = document["weight_map"]?.object else {
      throw .headerField(file: path, field: "weight_map", expected: "an object of file names")
    }
    var entries: [(tensor: String, file: String)] = []
    for (tensor, value) in map.members {
      guard let name = value.string else {
        throw .headerField(file: path, field: "weight_map.\(tensor)", expected: "a file name")
      }
      // Some writers put the directory before names: the same file, inside it.
      var file = name[...]
      while file.hasPrefix("./") { file = file.dropFirst(2) }
      guard RelativeName.isValid(String(file)) else {
        throw .invalidFileName(file: path, name: name)
      }
      entries.append((tensor, String(file)))
    }
    self.entries = entries
  }
}
