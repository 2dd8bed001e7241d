public import TensorTypes

/// The chunks of a distributed checkpoint as tensors of their own, in place: that of the tensor KEY
/// that starts at index [0, 1024] is called `KEY[0, 1024]`.
public struct DistributedChunks: CheckpointReader {
  public let tensors: [StoredTensor]
  /// The tensors that the chunks are of.
  public let checkpoint: DistributedCheckpoint

  private let places: [String: (tensor: Int, key: String, box: TensorBox)]

  public var formatName: String { checkpoint.formatName }
  public var files: [String] { checkpoint.files }

  /// The chunks of `checkpoint`; those that hold nothing are left out.
  public init(of checkpoint: DistributedCheckpoint) {
    var found: [(tensor: StoredTensor, key: String, box: TensorBox)] = []
    for tensor in checkpoint.tensors {
      for chunk in checkpoint.chunks(of: tensor.name) where !chunk.box.isEmpty {
        var stored = chunk.stored
        stored.name = "\(tensor.name)\(chunk.box.offsets)"
        found.append((stored, tensor.name, chunk.box))
      }
    }
    found.sort { $0.tensor.order < $1.tensor.order }
    self.checkpoint = checkpoint
    tensors = found.map(\.tensor)
    places = Dictionary(
      uniqueKeysWithValues: found.enumerated().map { index, item in
        (item.tensor.name, (index, item.key, item.box))
      })
  }

  public func tensor(named name: String) -> StoredTensor? {
    places[name].map { tensors[$0.tensor] }
  }

  public func view(_ name: String) throws(CheckpointError) -> TensorView {
    guard let place = places[name] else {
      throw .noSuchTensor(file: files.joined(separator: ", "), tensor: name)
    }
    return try checkpoint.view(place.key, box: place.box)
  }
}
