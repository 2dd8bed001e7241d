import Checkpoints
import Foundation

extension ModelFile {
  /// Opens whatever is at `path`: a directory, a safetensors, PyTorch or HDF5 file with its
  /// config.json beside it, or a GGUF file.
  public static func open(_ path: String) throws -> ModelFile {
    let location = try CheckpointLocation.detect(path)
    switch location {
    case .gguf(let file): return try ModelFile(gguf: file, named: path)
    case .megatronDirectory(let directory): return try ModelFile(megatron: directory)
    case .torchDistributed(let directory): return try ModelFile(distributed: directory)
    case .safetensorsDirectory(let directory), .pyTorchDirectory(let directory),
      .hdf5Directory(let directory):
      return try ModelFile(directory: directory) { try location.open() }
    case .safetensorsFile(let file), .pyTorchFile(let file), .hdf5File(let file):
      let directory = URL(fileURLWithPath: file).deletingLastPathComponent().path
      return try ModelFile(directory: directory) { try location.open() }
    }
  }
}
