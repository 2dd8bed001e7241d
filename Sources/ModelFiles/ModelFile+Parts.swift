package import Architectures
package import Checkpoints
package import TensorTypes

extension ModelFile {
  /// A tensor of the model that is some rows of a stored one, as fused projections are.
  struct Piece: Sendable {
    /// The name of the stored tensor.
    let tensor: String
    /// Its rows; a vector has a row per element.
    let rows: Range<Int>
    /// The piece as a tensor of its own, called `name[first:last]`.
    let stored: StoredTensor

    /// Rows `rows` of `tensor`, of shape `shape`.
    init(of tensor: StoredTensor, rows: Range<Int>, shape: Shape) {
      self.tensor = tensor.name
      self.rows = rows
      var stored = tensor
      stored.name = "\(tensor.name)[\(rows.lowerBound):\(rows.upperBound)]"
      stored.shape = shape
      stored.byteCount = shape.byteCount(tensor.type) ?? 0
      stored.offset += rows.isEmpty ? 0 : stored.byteCount / rows.count * rows.lowerBound
      self.stored = stored
    }
  }

  /// The stored tensor whose pieces are `requirement`; nil when it is stored otherwise.
  package func whole(_ requirement: ModelDescription.StoredRequirement) -> StoredTensor? {
    let held = requirement.pieces.map { pieces[$0.address] }
    guard let name = held.first??.tensor,
      held.enumerated().allSatisfy({
        $1?.tensor == name && $1?.rows == requirement.rows(ofPiece: $0)
      })
    else { return nil }
    return reader.tensor(named: name)
  }

  /// Whether its tensors are put together from several files, so that views should be asked for only
  /// when they are used.
  package var isAssembled: Bool {
    if case .megatron = form { return true }
    return false
  }

  /// The rows of the tensor at `address` as matrices one below the other, each in place where that
  /// is possible; one unless the files hold the tensor in several parts. A vector has a row per
  /// element there.
  ///
  /// - Precondition: rows that are stored in another order within heads are asked for by whole heads.
  package func rows(_ range: Range<Int>, of address: TensorAddress) throws -> [TensorView] {
    let order = rowOrder(of: address.role)
    guard let stored = tensors[address], order == .stored, pieces[address] == nil else {
      return [try view(address).part(range)]
    }
    var found: [TensorView] = [], start = 0
    for part in try reader.parts(stored.name) {
      let count = part.partRows
      let overlap = range.clamped(to: start..<start + count)
      if !overlap.isEmpty {
        found.append(part.part(overlap.lowerBound - start..<overlap.upperBound - start))
      }
      start += count
    }
    return found
  }
}

extension TensorView {
  /// Rows, where a vector has a row per element.
  fileprivate var partRows: Int { shape.dimensions.count == 1 ? shape.columns : rows }

  /// Rows `range`, where a vector has a row per element.
  fileprivate func part(_ range: Range<Int>) -> TensorView {
    let count = partRows, columns = shape.dimensions.count == 1 ? 1 : columns
    let rowBytes = count == 0 ? 0 : bytes.count / count
    let part = bytes[range.lowerBound * rowBytes..<range.upperBound * rowBytes]
    return TensorView(
      bytes: UnsafeRawBufferPointer(rebasing: part), type: type, shape: [range.count, columns],
      rowOrder: rowOrder, storage: storage)
  }
}
