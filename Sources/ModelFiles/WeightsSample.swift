import Architectures
import Checkpoints
import TensorTypes

/// Some bytes of every tensor of a model: enough to tell weights that were trained, healed or rounded
/// from those they were made from, without reading all.
public enum WeightsSample {
  /// Pieces of a tensor that are read, and the bytes of one; smaller tensors are read whole.
  private static let pieces = 16, pieceBytes = 4096

  /// The hash of the sample of `file`.
  public static func hash(of file: ModelFile) throws -> String {
    var hash = SHA256()
    for requirement in file.description.requirements {
      let view = try file.view(requirement.address)
      let kind = "\(requirement.address) \(view.type.rawValue) \(view.shape)"
      Array(kind.utf8).withUnsafeBytes { hash.update($0) }
      let rest = view.bytes.count - pieceBytes
      if view.bytes.count <= pieces * pieceBytes {
        hash.update(view.bytes)
      } else {
        for piece in 0..<pieces {
          let start = rest * piece / (pieces - 1)
          hash.update(UnsafeRawBufferPointer(rebasing: view.bytes[start..<start + pieceBytes]))
        }
      }
      view.discard()
    }
    return hash.finish().hex
  }
}
