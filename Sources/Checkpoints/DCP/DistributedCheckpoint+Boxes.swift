public import TensorTypes

extension DistributedCheckpoint {
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
}
