import CHDF5
import CHDF5Shim

/// Visits every object of a file once, by hard links alone.
struct HDF5Walk {
  /// The path of the file.
  let file: String
  /// The datasets found.
  private(set) var tensors: [HDF5Weights.Tensor] = []
  private var groups: Set<UInt64> = []
  private var objects = 0
  /// The bytes that chunks may still expand to.
  private var expansion: Int

  /// - Parameter size: the bytes of the file.
  init(file: String, size: Int) {
    self.file = file
    expansion = HDF5Weights.unboundedExpansion + HDF5Weights.mostExpansion * min(size, 1 << 50)
  }

  mutating func run(_ handle: hid_t) throws(HDF5Error) {
    var address: UInt64 = 0
    guard Int(ch5_object(handle, "/", &address)) == CH5_GROUP else {
      throw .last("cannot read the root group", file)
    }
    groups.insert(address)
    let root = H5Gopen2(handle, "/", ch5_default())
    guard root >= 0 else { throw .last("cannot open the root group", file) }
    defer { H5Gclose(root) }
    try visit(root, path: [])
  }

  private mutating func visit(_ group: hid_t, path: [String]) throws(HDF5Error) {
    for (name, kind) in try links(of: group, path: path) {
      let path = path + [name], text = path.joined(separator: "/")
      guard kind == CH5_HARD else {
        let kinds = [CH5_SOFT: "a soft link", CH5_EXTERNAL: "an external link"]
        let found = kinds[kind] ?? "a link of an unknown kind"
        throw refused(text, "it is \(found); only hard ones are followed")
      }
      objects += 1
      guard objects <= HDF5Weights.mostObjects else {
        throw refused(text, "the file has more than \(HDF5Weights.mostObjects) objects")
      }
      var address: UInt64 = 0
      switch Int(ch5_object(group, name, &address)) {
      case CH5_GROUP: try enter(group, name, address, path: path)
      case CH5_DATASET:
        tensors.append(
          try HDF5Dataset.describe(
            name, in: group, path: text, file: file, expansion: &expansion))
      case CH5_NO_OBJECT: throw .last("cannot read \(text)", file)
      default: throw refused(text, "it is neither a group nor a dataset")
      }
    }
  }

  private mutating func enter(
    _ parent: hid_t, _ name: String, _ address: UInt64, path: [String]
  ) throws(HDF5Error) {
    let text = path.joined(separator: "/")
    guard groups.insert(address).inserted else {
      throw refused(text, "the group is linked twice")
    }
    guard path.count <= HDF5Weights.mostLevels else {
      throw refused(text, "groups are nested deeper than \(HDF5Weights.mostLevels) levels")
    }
    let group = H5Gopen2(parent, name, ch5_default())
    guard group >= 0 else { throw .last("cannot open group \(text)", file) }
    defer { H5Gclose(group) }
    try visit(group, path: path)
  }

  /// What the links of a group are called, and their kinds.
  private func links(
    of group: hid_t, path: [String]
  ) throws(HDF5Error) -> [(name: String, kind: Int)] {
    var found = Links()
    let isRead = withUnsafeMutablePointer(to: &found) { found in
      ch5_links(
        group,
        { name, kind, context in
          guard let name, let found = context?.assumingMemoryBound(to: Links.self) else {
            return 1
          }
          return found.pointee.add(name, kind: Int(kind)) ? 0 : 1
        }, found)
    }
    let place = path.isEmpty ? "the root group" : path.joined(separator: "/")
    if let fault = found.fault { throw refused(place, fault) }
    guard isRead != 0 else { throw .last("cannot read \(place)", file) }
    return found.links
  }

  private func refused(_ place: String, _ reason: String) -> HDF5Error {
    .failed(file: file, operation: place, reason: reason)
  }
}

/// Links as they are visited.
private struct Links {
  var links: [(name: String, kind: Int)] = []
  /// Why visiting ended early.
  var fault: String?

  /// Adds a link; false when its name cannot be one of a tensor.
  mutating func add(_ name: UnsafePointer<CChar>, kind: Int) -> Bool {
    guard let name = String(validatingCString: name) else {
      fault = "it has a name that is not valid UTF-8"
      return false
    }
    // A slash would lead through other links, unseen.
    guard !name.isEmpty, name != ".", !name.utf8.contains(UInt8(ascii: "/")),
      name.utf8.count <= HDF5Weights.longestName
    else {
      fault = "it has an impossible name"
      return false
    }
    guard links.count < HDF5Weights.mostObjects else {
      fault = "it has more than \(HDF5Weights.mostObjects) members"
      return false
    }
    links.append((name, kind))
    return true
  }
}
