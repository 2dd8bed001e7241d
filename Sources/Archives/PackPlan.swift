public import Checkpoints
import Kernels
import TensorTypes

/// The files of a directory and how an archive of them is cut, found without reading their data.
public struct PackPlan: Sendable {
  /// The directory.
  public let directory: String
  let files: [File]

  /// A file to be packed.
  struct File: Sendable {
    var name: String
    /// The bytes; nil for an empty file.
    var map: MappedFile?
    var parts: [ArchiveIndex.Part]
  }

  /// The bytes of all files.
  public var bytes: Int { files.reduce(0) { $0 + ($1.map?.bytes.count ?? 0) } }
  /// How many files there are.
  public var fileCount: Int { files.count }
  /// How many tensors can be extracted one by one.
  public var tensorCount: Int {
    files.reduce(0) { $0 + $1.parts.count { $0.tensor != nil } }
  }

  /// Plans an archive of all files below `directory`. Symbolic links, devices and directories that
  /// an interrupted run left behind are refused.
  public init(directory: String) throws(CheckpointError) {
    self.directory = directory
    var files: [File] = []
    for name in try FileStatus.regularFiles(below: directory) {
      guard OutputDirectory.accepts(name) else {
        throw .invalidFileName(file: directory, name: name)
      }
      let path = RelativeName.join(directory, name)
      guard FileStatus.size(path) != 0 else {
        files.append(File(name: name, map: nil, parts: []))
        continue
      }
      let map = try MappedFile(path: path)
      files.append(File(name: name, map: map, parts: PackPlan.parts(of: map)))
    }
    self.files = files
  }

  /// The header and the tensors of a sound safetensors file; any other file is one part.
  private static func parts(of map: MappedFile) -> [ArchiveIndex.Part] {
    guard map.path.hasSuffix(".safetensors"), let file = try? SafetensorsFile(file: map) else {
      return [ArchiveIndex.Part(bytes: map.bytes.count)]
    }
    return [ArchiveIndex.Part(bytes: 8 + file.headerBytes)]
      + file.tensors.map { tensor in
        ArchiveIndex.Part(
          bytes: tensor.byteCount, planes: planes(for: tensor.type),
          tensor: ArchiveIndex.Tensor(name: tensor.name, type: tensor.type, shape: tensor.shape))
      }
  }

  private static func planes(for type: ScalarType) -> BytePlanes {
    switch type {
    case .bfloat16, .float16: .two
    case .float32: .four
    default: .one
    }
  }
}
