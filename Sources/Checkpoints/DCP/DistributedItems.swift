/// The runs of bytes of a distributed checkpoint, by what they hold.
struct DistributedItems {
  private let metadata: DistributedMetadata
  private let byPlace: [Place: DistributedMetadata.Item]

  private struct Place: Hashable {
    var name: String
    var offsets: [Int]?
  }

  /// Items of tensors and objects that there are, each once.
  init(_ metadata: DistributedMetadata) throws(CheckpointError) {
    let chunks = metadata.tensors.reduce(into: [String: Set<[Int]>]()) { chunks, tensor in
      chunks[tensor.name] = Set(tensor.chunks.map(\.offsets))
    }
    var byPlace: [Place: DistributedMetadata.Item] = [:]
    for item in metadata.items {
      let isKnown =
        if let offsets = item.offsets { chunks[item.name]?.contains(offsets) ?? false } else {
          metadata.objects.contains(item.name)
        }
      guard isKnown else {
        throw metadata.malformed(
          "storage_data has \(item.name)\(item.offsets.map { " at \($0)" } ?? ""), which no entry "
            + "names")
      }
      let place = Place(name: item.name, offsets: item.offsets)
      guard byPlace.updateValue(item, forKey: place) == nil else {
        throw metadata.malformed(
          "\(item.name)\(item.offsets.map { " at \($0)" } ?? "") is stored twice")
      }
    }
    self.metadata = metadata
    self.byPlace = byPlace
  }

  /// Where a chunk lies.
  func item(
    of chunk: TensorBox, in tensor: String
  ) throws(CheckpointError) -> DistributedMetadata.Item {
    guard let item = byPlace[Place(name: tensor, offsets: chunk.offsets)] else {
      throw metadata.malformed("the chunk of \(tensor) at \(chunk.offsets) is stored nowhere")
    }
    return item
  }

  /// Items lie inside their files and share no bytes; `file` gives a file by its relative name.
  func checkPlaces(_ file: (String) -> DistributedFile) throws(CheckpointError) {
    let sorted = metadata.items.sorted {
      ($0.file, $0.offset, $0.length) < ($1.file, $1.offset, $1.length)
    }
    var previous: DistributedMetadata.Item?
    for item in sorted {
      let file = file(item.file)
      guard item.offset <= file.byteCount, item.length <= file.byteCount - item.offset else {
        let (end, overflow) = item.offset.addingReportingOverflow(item.length)
        throw .truncated(
          file: file.path, part: item.name, expected: overflow ? .max : end, got: file.byteCount)
      }
      if let before = previous, before.file == item.file,
        item.offset < before.offset + before.length
      {
        throw .overlap(
          file: file.path, tensor: item.name, offset: item.offset, previous: before.name,
          previousEnd: before.offset + before.length)
      }
      previous = item
    }
  }
}
