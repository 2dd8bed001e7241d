package import TensorTypes

/// Writes `.metadata`: an instance of PyTorch's class `Metadata` that its versions from 2.1 on read.
///
/// Types are under the name of their class before 2.3, which later versions still have; attributes
/// that older versions do not know are left out, which leaves them at their defaults.
package struct DistributedDescription {
  /// A chunk, or an object that is no tensor, and where it lies.
  package struct Item: Sendable {
    /// The tensor or object.
    package var name: String
    /// The element type and shape of the tensor with the box that the chunk is; nil for an object.
    package var chunk: (type: ScalarType, shape: Shape, offsets: [Int], sizes: [Int])?
    /// The file, relative to that of the description.
    package var file: String
    /// The first byte.
    package var offset: Int
    /// The number of bytes.
    package var byteCount: Int

    /// A chunk or an object.
    package init(
      name: String, chunk: (type: ScalarType, shape: Shape, offsets: [Int], sizes: [Int])?,
      file: String, offset: Int, byteCount: Int
    ) {
      self.name = name
      self.chunk = chunk
      self.file = file
      self.offset = offset
      self.byteCount = byteCount
    }
  }

  private static let module = "torch.distributed.checkpoint"
  private static let oldModule = "torch.distributed._shard.sharded_tensor.metadata"

  /// The bytes of the description of `items`.
  package static func pickle(of items: [Item]) -> [UInt8] {
    var names: [String] = [], byName: [String: [Item]] = [:]
    for item in items {
      if byName[item.name] == nil { names.append(item.name) }
      byName[item.name, default: []].append(item)
    }
    var writer = PickleWriter()
    writer.object("\(module).metadata", "Metadata") { metadata in
      metadata.dictionary { members in
        members.text("state_dict_metadata")
        members.dictionary { entries in
          for name in names {
            entries.text(name)
            entries.entry(byName[name] ?? [])
          }
        }
        members.text("planner_data")
        members.dictionary { paths in
          for name in names {
            paths.text(name)
            paths.tuple { $0.text(name) }
          }
        }
        members.text("storage_data")
        members.dictionary { places in
          for name in names {
            for (number, item) in (byName[name] ?? []).enumerated() {
              places.place(of: item, number: number)
            }
          }
        }
        members.text("mcore_data")
        members.dictionary { _ in }
      }
    }
    return writer.finish()
  }

  fileprivate static func metadata(_ name: String) -> (module: String, name: String) {
    ("\(module).metadata", name)
  }

  fileprivate static let fileSystem = "\(module).filesystem"
  fileprivate static let properties = oldModule
}

extension PickleWriter {
  fileprivate mutating func instance(
    of name: String, _ members: (inout PickleWriter) -> Void
  ) {
    let name = DistributedDescription.metadata(name)
    object(name.module, name.name) { $0.dictionary(members) }
  }

  fileprivate mutating func size(_ numbers: [Int]) {
    call("torch", "Size") { arguments in
      arguments.tuple { tuple in numbers.forEach { tuple.int($0) } }
    }
  }

  /// What is said of a tensor with the chunks `items`, or of an object.
  fileprivate mutating func entry(_ items: [DistributedDescription.Item]) {
    guard let first = items.first?.chunk else {
      return instance(of: "BytesStorageMetadata") { _ in }
    }
    instance(of: "TensorStorageMetadata") { members in
      members.text("properties")
      members.properties(first.type)
      members.text("size")
      members.size(first.shape.dimensions)
      members.text("chunks")
      members.list { chunks in
        for chunk in items.compactMap(\.chunk) {
          chunks.instance(of: "ChunkStorageMetadata") { members in
            members.text("offsets")
            members.size(chunk.offsets)
            members.text("sizes")
            members.size(chunk.sizes)
          }
        }
      }
    }
  }

  /// Type, layout, whether gradients are kept, memory format, whether memory is pinned.
  private mutating func properties(_ type: ScalarType) {
    object(DistributedDescription.properties, "TensorProperties") { state in
      state.tuple { tuple in
        tuple.global("torch", type.rawValue)
        tuple.call("torch.serialization", "_get_layout") { $0.text("torch.strided") }
        tuple.bool(false)
        tuple.call(DistributedDescription.properties, "MEM_FORMAT_ENCODING") { $0.int(0) }
        tuple.bool(false)
      }
    }
  }

  /// Where chunk `number` of a tensor lies: a key and a value.
  fileprivate mutating func place(of item: DistributedDescription.Item, number: Int) {
    instance(of: "MetadataIndex") { members in
      members.text("fqn")
      members.text(item.name)
      members.text("offset")
      if let chunk = item.chunk { members.size(chunk.offsets) } else { members.none() }
      members.text("index")
      if item.chunk == nil { members.none() } else { members.int(number) }
    }
    object(DistributedDescription.fileSystem, "_StorageInfo") { info in
      info.dictionary { members in
        members.text("relative_path")
        members.text(item.file)
        members.text("offset")
        members.int(item.offset)
        members.text("length")
        members.int(item.byteCount)
      }
    }
  }
}
