import Architectures
import Checkpoints
import Glibc
import TensorTypes

/// An output head that is stored although the configuration says that it is the embedding.
///
/// Source: `transformers` 5 ties them only where the files hold no head or hold the same values; a
/// trained head (merged adapters, DeepSpeed) is used.
enum StoredHead {
  /// Bytes compared before their pages are dropped.
  private static let block = 64 << 20

  /// What the user is told of a head that is used in spite of the configuration.
  static let note =
    "tie_word_embeddings is true, but the stored output head differs from the embedding: the stored "
    + "one is used, as in transformers 5."

  /// Whether `reader` holds a head of its own: another type, shape or other bytes than the embedding.
  static func differs(
    in reader: any CheckpointReader, names: NameTable
  ) throws(CheckpointError) -> Bool {
    guard let head = names.name(of: TensorAddress(.head)), reader.tensor(named: head) != nil,
      let embedding = names.name(of: TensorAddress(.embedding)),
      reader.tensor(named: embedding) != nil
    else { return false }
    let left = try reader.view(head), right = try reader.view(embedding)
    guard left.type == right.type, left.shape == right.shape else { return true }
    for start in stride(from: 0, to: left.bytes.count, by: block) {
      let range = start..<min(start + block, left.bytes.count)
      let part = UnsafeRawBufferPointer(rebasing: left.bytes[range])
      let other = UnsafeRawBufferPointer(rebasing: right.bytes[range])
      defer {
        left.storage.discard(part)
        right.storage.discard(other)
      }
      guard let start = part.baseAddress, let otherStart = other.baseAddress,
        memcmp(start, otherStart, range.count) == 0
      else { return true }
    }
    return false
  }
}
