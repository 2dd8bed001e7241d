import Glibc
import TensorTypes

/// A chunk of a tensor, found in a file.
struct DistributedChunk {
  /// Which part of the tensor it is.
  var box: TensorBox
  /// Which of the files it lies in.
  var file: Int
  /// The chunk as its archive stores it.
  var stored: StoredTensor
  /// Where its storage lies.
  var place: PyTorchFile.Place
}

/// A file of a distributed checkpoint: archives one after the other.
struct DistributedFile {
  private let file: MappedFile
  private let checked = CheckedEntries()

  /// The path of the file.
  var path: String { file.path }
  /// Its length.
  var byteCount: Int { file.bytes.count }

  /// Maps `name`, which `metadata` names, of the directory `directory`; a name that leads out of the
  /// directory, a link included, is refused.
  init(
    _ name: String, in directory: String, named metadata: String
  ) throws(CheckpointError) {
    guard RelativeName.isValid(name) else { throw .invalidFileName(file: metadata, name: name) }
    var path = directory
    for part in name.split(separator: "/") {
      path = RelativeName.join(path, String(part))
      var status = stat()
      if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK {
        throw .invalidFileName(file: metadata, name: name)
      }
    }
    file = try MappedFile.checkpoint(path)
  }

  /// The chunk whose archive lies in `range`.
  func chunk(
    _ box: TensorBox, of tensor: DistributedMetadata.Tensor, in range: Range<Int>, number: Int
  ) throws(CheckpointError) -> DistributedChunk {
    func malformed(_ reason: String) -> CheckpointError {
      .malformed(
        file: path, format: "distributed checkpoint", offset: range.lowerBound,
        reason: "the chunk of \(tensor.name) at \(box.offsets) \(reason)")
    }
    let archive = try PickledArchive(file, range: range)
    guard case .tensor(let value) = archive.heap[archive.value] else {
      throw malformed("is no tensor")
    }
    guard value.shape == box.sizes else {
      throw malformed("has shape \(value.shape), not \(box.sizes)")
    }
    guard value.type == tensor.type else {
      throw malformed("has type \(value.type.rawValue), not \(tensor.type.rawValue)")
    }
    let entry = try archive.entry(of: value.storage, for: tensor.name)
    let (stored, place) = try PyTorchFile.place(value, named: tensor.name, in: entry, file: path)
    return DistributedChunk(box: box, file: number, stored: stored, place: place)
  }

  /// The elements of `chunk`, which lies in this file.
  func view(of chunk: DistributedChunk) throws(CheckpointError) -> TensorView {
    try file.view(of: chunk.stored, at: chunk.place, checked: checked)
  }
}
