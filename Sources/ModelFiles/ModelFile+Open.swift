import Checkpoints
import Foundation

extension ModelFile {
  /// Opens whatever is at `path`: a directory, a safetensors file with its config.json beside it,
  /// or a GGUF file.
  public static func open(_ path: String) throws -> ModelFile {
    switch try CheckpointLocation.detect(path) {
    case .gguf(let file): try ModelFile(gguf: file)
    case .safetensorsDirectory(let directory):
      try ModelFile(directory: directory, tensors: directory)
    case .safetensorsFile(let file):
      try ModelFile(
        directory: URL(fileURLWithPath: file).deletingLastPathComponent().path, tensors: file)
    }
  }
}
