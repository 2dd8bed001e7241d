import HDF5
public import TensorTypes

/// One HDF5 file of weights: datasets as tensors, specified in `formats/hdf5/README.md`.
///
/// What lies in one piece is viewed in place; what is chunked or compact is read into memory when it
/// is viewed, and has the offset 0.
public struct HDF5File: ShardFile {
  /// The file name of an unsharded model: Keras's.
  public static let singleName = "model.weights.h5"
  /// The first eight bytes of the file.
  static let magic: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]

  public let formatName = "hdf5"
  public let tensors: [StoredTensor]

  private let file: MappedFile
  private let places: [String: (index: Int, dataset: HDF5Weights.Tensor)]

  public var files: [String] { [file.path] }

  public init(path: String) throws(CheckpointError) {
    let file = try MappedFile.checkpoint(path)
    defer { withExtendedLifetime(file) {} }
    guard file.bytes.starts(with: HDF5File.magic) else {
      throw .malformed(
        file: path, format: "HDF5", offset: 0, reason: "it does not start as HDF5 files do")
    }
    let datasets = try CheckpointError.wrapping { try HDF5Weights.list(path) }
    let names = HDF5File.names(of: datasets.map(\.path))
    var found: [(tensor: StoredTensor, dataset: HDF5Weights.Tensor)] = []
    for (name, dataset) in zip(names, datasets) {
      let tensor = StoredTensor(
        name: name, type: dataset.type, shape: Shape(dataset.dimensions), file: path,
        offset: dataset.offset ?? 0, byteCount: dataset.byteCount)
      if dataset.offset != nil {
        guard tensor.byteCount <= file.bytes.count,
          tensor.offset <= file.bytes.count - tensor.byteCount
        else {
          throw .truncated(
            file: path, part: "tensor \(name)", expected: tensor.offset + tensor.byteCount,
            got: file.bytes.count)
        }
      }
      found.append((tensor, dataset))
    }
    found.sort { ($0.tensor.offset, $0.tensor.name) < ($1.tensor.offset, $1.tensor.name) }
    var places: [String: (index: Int, dataset: HDF5Weights.Tensor)] = [:]
    for (index, entry) in found.enumerated() {
      guard places.updateValue((index, entry.dataset), forKey: entry.tensor.name) == nil else {
        throw .duplicateTensor(tensor: entry.tensor.name, first: path, second: path)
      }
    }
    self.file = file
    self.places = places
    tensors = found.map(\.tensor)
  }

  public func tensor(named name: String) -> StoredTensor? {
    places[name].map { tensors[$0.index] }
  }

  public func view(_ name: String) throws(CheckpointError) -> TensorView {
    guard let (index, dataset) = places[name] else {
      throw .noSuchTensor(file: file.path, tensor: name)
    }
    let tensor = tensors[index]
    guard dataset.offset == nil else { return file.view(of: tensor) }
    let storage = MemoryStorage(count: tensor.byteCount)
    try CheckpointError.wrapping {
      try HDF5Weights.read(dataset, of: file.path, into: storage.bytes)
    }
    return storage.view(tensor.type, shape: tensor.shape)
  }

  /// Tensor names of datasets: their paths; where Keras's layout gives an object one variable, that
  /// of the object.
  static func names(of paths: [String]) -> [String] {
    let only = "/vars/0", second = "/vars/1"
    let known = Set(paths)
    return paths.map { path in
      guard path.hasSuffix(only), !known.contains(path.dropLast(only.count) + second) else {
        return path
      }
      let name = path.dropLast(only.count)
      return String(name.hasPrefix("layers/") ? name.dropFirst("layers/".count) : name)
    }
  }
}

extension CheckpointError {
  /// Runs `body`, whose errors are those of HDF5.
  fileprivate static func wrapping<Result>(
    _ body: () throws -> Result
  ) throws(CheckpointError) -> Result {
    do {
      return try body()
    } catch let error as HDF5Error {
      throw .hdf5(error)
    } catch {
      throw .malformed(file: "", format: "HDF5", offset: 0, reason: "\(error)")
    }
  }
}
