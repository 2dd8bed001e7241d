public import TensorTypes

extension ModelDescription {
  /// A tensor as a format stores it: one of the model's, or several whose rows lie one below the other.
  public struct StoredRequirement: Sendable, Equatable {
    /// Its name; nil when the format has none for it.
    public var name: String?
    /// What it consists of, first rows to last.
    public var pieces: [Requirement]
    /// Its shape: the rows of all pieces.
    public var shape: Shape
    /// Whether it is the matrices of all routed experts [N, rows, columns].
    public var isStacked = false

    /// Where the rows of piece `index` lie; a vector has a row per element.
    public func rows(ofPiece index: Int) -> Range<Int> {
      let counts = pieces.map { $0.shape.dimensions.first ?? 1 }
      let start = counts[..<index].reduce(0, +)
      return start..<start + counts[index]
    }
  }

  /// Every tensor of the model as a format with the names of `names` stores it, in the order of
  /// `requirements`; one that is several of the model's stands where the first of them would.
  public func stored(under names: NameTable) -> [StoredRequirement] {
    let requirements = requirements
    let known = Dictionary(uniqueKeysWithValues: requirements.map { ($0.address, $0) })
    var placed: Set<TensorAddress> = []
    return requirements.compactMap { requirement in
      guard !placed.contains(requirement.address) else { return nil }
      let experts =
        requirement.address.layer.flatMap { layers[$0].feedForward.experts?.routed } ?? 0
      let pieces = names.neighbours(of: requirement.address, experts: experts)
        .compactMap { known[$0] }
      placed.formUnion(pieces.map(\.address))
      let isStacked = names.isStacked(requirement.address)
      guard pieces.count > 1 || isStacked else {
        return StoredRequirement(
          name: names.name(of: requirement.address), pieces: [requirement],
          shape: requirement.shape)
      }
      let rows = pieces.reduce(0) { $0 + ($1.shape.dimensions.first ?? 1) }
      let outer = isStacked ? [experts, rows / max(1, experts)] : [rows]
      return StoredRequirement(
        name: names.name(of: requirement.address), pieces: pieces,
        shape: Shape(outer + requirement.shape.dimensions.dropFirst()), isStacked: isStacked)
    }
  }
}
