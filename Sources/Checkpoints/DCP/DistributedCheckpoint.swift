public import StrictJSON
public import TensorTypes

/// A checkpoint of `torch.distributed.checkpoint`: a directory with `.metadata` and files of chunks,
/// each chunk an archive of its own. Megatron calls it `torch_dist`.
///
/// Specified in `formats/dcp/README.md`. Every element of every tensor lies in exactly one chunk;
/// names of files stay inside the directory; the descriptions of all chunks are read and compared when
/// the checkpoint is opened, the checksum of a chunk when it is first looked at.
public struct DistributedCheckpoint: CheckpointReader {
  public let formatName = "torch distributed"
  public let tensors: [StoredTensor]
  public let files: [String]
  /// Names of stored objects that are no tensors, in order; they are not read.
  public let objects: [String]

  /// The name of the file that describes the others.
  package static let metadataName = DistributedMetadata.fileName
  /// The file of what Megatron keeps beside tensors.
  package static let commonName = "common.pt"

  private let mapped: [DistributedFile]
  private let places: [String: (tensor: Int, chunks: [DistributedChunk])]

  /// Opens a directory with `.metadata`, or one with the file that names an iteration of Megatron.
  public init(path: String) throws(CheckpointError) {
    let path = DistributedCheckpoint.directory(of: path) ?? path
    let metadataPath = RelativeName.join(path, DistributedMetadata.fileName)
    let metadata = try DistributedMetadata(path: metadataPath)
    var mapped: [DistributedFile] = [], numbers: [String: Int] = [:]
    for name in Set(metadata.items.map(\.file)).sorted() {
      numbers[name] = mapped.count
      mapped.append(try DistributedFile(name, in: path, named: metadataPath))
    }
    let items = try DistributedItems(metadata)
    try items.checkPlaces { mapped[numbers[$0] ?? 0] }
    var found: [(tensor: StoredTensor, chunks: [DistributedChunk])] = []
    for tensor in metadata.tensors {
      let shape = Shape(tensor.shape)
      guard let byteCount = shape.byteCount(tensor.type) else {
        throw .sizeOverflow(
          file: metadataPath, tensor: tensor.name, shape: shape, type: tensor.type)
      }
      let coverage = ChunkCoverage(shape: tensor.shape, chunks: tensor.chunks)
      if let problem = coverage.problem {
        throw metadata.malformed("tensor \(tensor.name) \(problem)")
      }
      var chunks: [DistributedChunk] = []
      for chunk in tensor.chunks {
        let item = try items.item(of: chunk, in: tensor.name), file = numbers[item.file] ?? 0
        chunks.append(
          try mapped[file].chunk(
            chunk, of: tensor, in: item.offset..<item.offset + item.length, number: file))
      }
      chunks.sort { ($0.file, $0.stored.offset) < ($1.file, $1.stored.offset) }
      let first = chunks.first?.stored
      let stored = StoredTensor(
        name: tensor.name, type: tensor.type, shape: shape, file: first?.file ?? metadataPath,
        offset: first?.offset ?? 0, byteCount: byteCount)
      found.append((stored, chunks))
    }
    found.sort { $0.tensor.order < $1.tensor.order }
    var places: [String: (tensor: Int, chunks: [DistributedChunk])] = [:]
    for (index, item) in found.enumerated() { places[item.tensor.name] = (index, item.chunks) }
    tensors = found.map(\.tensor)
    files = mapped.map(\.path)
    objects = metadata.objects.sorted()
    self.mapped = mapped
    self.places = places
  }

  public func tensor(named name: String) -> StoredTensor? {
    places[name].map { tensors[$0.tensor] }
  }

  public func view(_ name: String) throws(CheckpointError) -> TensorView {
    let dimensions = tensor(named: name)?.shape.dimensions ?? []
    let box = TensorBox(offsets: dimensions.map { _ in 0 }, sizes: dimensions)
    return try view(name, box: box)
  }

  /// A part of the tensor called `name`, its shape that of `box`: in place when its elements follow
  /// each other in one chunk, else put together in memory.
  ///
  /// - Precondition: `box` has the rank of the tensor and lies inside it.
  public func view(_ name: String, box: TensorBox) throws(CheckpointError) -> TensorView {
    guard let place = places[name] else {
      throw .noSuchTensor(file: files.joined(separator: ", "), tensor: name)
    }
    let tensor = tensors[place.tensor], shape = Shape(box.sizes)
    let size = tensor.type.blockBytes, byteCount = box.count * size
    if let only = place.chunks.first(where: { $0.box.intersection(box) == box }),
      only.box.isContiguous(box)
    {
      let whole = try view(of: only), start = only.box.position(of: box.offsets) * size
      return TensorView(
        bytes: UnsafeRawBufferPointer(rebasing: whole.bytes[start..<start + byteCount]),
        type: tensor.type, shape: shape, storage: whole.storage)
    }
    let storage = MemoryStorage(count: byteCount)
    for chunk in place.chunks {
      guard let part = chunk.box.intersection(box) else { continue }
      let view = try view(of: chunk)
      chunk.box.copy(part, from: view.bytes, to: box, storage.bytes, elementBytes: size)
      view.discard()
    }
    return storage.view(tensor.type, shape: shape)
  }

  /// The chunks of the tensor called `name`, by file, then by offset.
  func chunks(of name: String) -> [DistributedChunk] { places[name]?.chunks ?? [] }

  private func view(of chunk: DistributedChunk) throws(CheckpointError) -> TensorView {
    try mapped[chunk.file].view(of: chunk)
  }

  /// A part of the tensor called `name` as slabs, one behind the other along `dimension`: each in
  /// place where its chunk holds all of it in one run; a single one put together in memory when not.
  ///
  /// - Precondition: `box` has the rank of the tensor, lies inside it, and is 1 in the dimensions in
  ///   front of `dimension`.
  public func slabs(
    _ name: String, box: TensorBox, along dimension: Int
  ) throws(CheckpointError) -> [TensorView] {
    var slabs: [TensorBox] = []
    for chunk in chunks(of: name) {
      guard let part = chunk.box.intersection(box) else { continue }
      let isSlab = box.sizes.indices.allSatisfy {
        $0 == dimension || part.sizes[$0] == box.sizes[$0]
      }
      guard isSlab, chunk.box.isContiguous(part) else { return [try view(name, box: box)] }
      slabs.append(part)
    }
    slabs.sort { $0.offsets[dimension] < $1.offsets[dimension] }
    var views: [TensorView] = []
    for slab in slabs { views.append(try view(name, box: slab)) }
    return views.isEmpty ? [try view(name, box: box)] : views
  }

  /// The directory with `.metadata` in `path`: that itself, or that of the iteration which the
  /// tracker in it names; nil when there is none.
  static func directory(of path: String) -> String? {
    let iteration = try? MegatronCheckpoint.iteration(path)
    return [path, iteration ?? path].first {
      FileStatus.exists(RelativeName.join($0, metadataName))
    }
  }

  /// The arguments of the training that `common.pt` holds, and that file; nil when it is not there.
  public static func arguments(
    in path: String
  ) throws(CheckpointError) -> (object: JSONObject, file: String)? {
    let file = RelativeName.join(directory(of: path) ?? path, commonName)
    guard FileStatus.exists(file) else { return nil }
    let mapped = try MappedFile.checkpoint(file)
    let archive = try PickledArchive(mapped, range: 0..<mapped.bytes.count)
    guard let object = archive.heap.settings(archive.value)["args"]?.object else { return nil }
    return (object, file)
  }
}
