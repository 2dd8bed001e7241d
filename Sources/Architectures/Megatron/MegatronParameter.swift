public import TensorTypes

/// One parameter of a Megatron model as if there was one rank: how it is put together from the
/// tensors of our models, and which part each tensor rank holds.
///
/// "Rows" are indices of the first dimension, so a vector has as many rows as elements; "columns" are
/// everything behind the first dimension.
public struct MegatronParameter: Sendable, Equatable {
  /// The name behind `decoder.layers.L.`, or the whole name outside the layers; that of an expert's
  /// parameter lacks the expert's number.
  public var name: String
  /// Other names that the same parameter has in files of other Megatron models.
  public var otherNames: [String] = []
  /// The layer, counted over all stages; nil outside the layers.
  public var layer: Int?
  /// The routed expert, counted over all expert ranks.
  public var expert: Int?
  /// Its shape with all ranks together, vocabulary padding included.
  public var shape: Shape
  /// What it consists of, first row to last.
  public var pieces: [Piece]
  /// How tensor ranks share it.
  public var split: Split
  /// Which stages hold it.
  public var stage: Stage
  /// Whether it repeats a parameter of another stage: the head of a model with tied embeddings.
  public var isCopy = false

  /// Rows of one of our tensors, one after the other.
  public struct Piece: Sendable, Equatable {
    /// Which tensor.
    public var address: TensorAddress
    /// Which of its rows.
    public var rows: Range<Int>
    /// How often they are repeated: above 1 in the padding of a vocabulary only.
    public var copies = 1
    /// Whether it is padding.
    public var isPadding = false

    /// Rows of the parameter that it makes.
    public var count: Int { rows.count * copies }
  }

  /// How tensor ranks share a parameter.
  public enum Split: String, Sendable {
    /// Every rank holds all of it.
    case replicated
    /// Equal blocks of rows.
    case rows
    /// Equal blocks of the first half of the rows followed by those of the second: gate over up.
    case halves
    /// Equal blocks of columns.
    case columns
  }

  /// Which pipeline ranks hold a parameter.
  public enum Stage: String, Sendable {
    case first, ofLayer, last
  }

  /// Rows and columns of a parameter.
  public struct Region: Sendable, Hashable {
    /// The rows.
    public var rows: Range<Int>
    /// The columns.
    public var columns: Range<Int>
  }

  /// The number of rows.
  public var rowCount: Int { shape.dimensions.first ?? 1 }
  /// The number of columns.
  public var columnCount: Int { shape.dimensions.dropFirst().reduce(1, *) }

  /// What tensor rank `rank` of `ranks` holds: its tensor is these regions, one below the other.
  ///
  /// - Precondition: `ranks` fits, see `MegatronTopology.check`.
  public func regions(rank: Int, of ranks: Int) -> [Region] {
    func block(_ count: Int, from start: Int = 0) -> Range<Int> {
      start + count / ranks * rank..<start + count / ranks * (rank + 1)
    }
    let columns = 0..<columnCount
    switch split {
    case .replicated: return [Region(rows: 0..<rowCount, columns: columns)]
    case .rows: return [Region(rows: block(rowCount), columns: columns)]
    case .halves:
      let half = rowCount / 2
      return [0, half].map { Region(rows: block(half, from: $0), columns: columns) }
    case .columns: return [Region(rows: 0..<rowCount, columns: block(columnCount))]
    }
  }

  /// The shape of what tensor rank `rank` of `ranks` holds.
  public func shape(rank: Int, of ranks: Int) -> Shape {
    let regions = regions(rank: rank, of: ranks)
    var dimensions = shape.dimensions
    if !dimensions.isEmpty { dimensions[0] = regions.reduce(0) { $0 + $1.rows.count } }
    if split == .columns, dimensions.count == 2 { dimensions[1] = regions[0].columns.count }
    return Shape(dimensions)
  }

  /// What the rows `rows` of the parameter consist of.
  public func pieces(in rows: Range<Int>) -> [Piece] {
    var found: [Piece] = [], start = 0
    for piece in pieces {
      let overlap = rows.clamped(to: start..<start + piece.count)
      if !overlap.isEmpty {
        var part = piece
        if piece.copies == 1 {
          let first = piece.rows.lowerBound + overlap.lowerBound - start
          part.rows = first..<first + overlap.count
        } else {
          // Padding repeats a single row.
          part.copies = overlap.count
        }
        found.append(part)
      }
      start += piece.count
    }
    return found
  }

  /// The name of the embedding.
  public static let embeddingName = "embedding.word_embeddings.weight"

  /// The key in files of the legacy format.
  ///
  /// - Parameters:
  ///   - layer: the layer counted from the first one of its stage; ignored outside the layers.
  ///   - expert: the expert counted from the first one of its rank; ignored without experts.
  public func legacyKey(layer: Int, expert: Int) -> String {
    legacyKey(name, layer: layer, expert: expert)
  }

  /// All keys that the parameter may have when it is read, that of `legacyKey(layer:expert:)` first.
  public func legacyKeys(layer: Int, expert: Int) -> [String] {
    ([name] + otherNames).map { legacyKey($0, layer: layer, expert: expert) }
  }

  private func legacyKey(_ name: String, layer: Int, expert: Int) -> String {
    var key = self.layer == nil ? name : "decoder.layers.\(layer).\(name)"
    guard self.expert != nil else { return key }
    if let place = key.firstRange(of: Self.expertPlace) {
      key.replaceSubrange(place, with: String(expert))
      return key
    }
    return key + String(expert)
  }

  /// Stands for an expert's number inside a name.
  static let expertPlace = "{expert}"

  /// The key in distributed checkpoints, the same for every topology.
  ///
  /// Parameters of routed experts share a key and have a leading dimension for the expert. When all
  /// layers are alike (`MegatronMapping.isHomogeneous`) those of different layers do too, with a
  /// leading dimension for the layer in front of that.
  ///
  /// - Parameter stacked: whether layers share keys.
  public func distributedKey(stacked: Bool) -> String {
    guard let layer else { return name }
    let place = stacked ? "decoder.layers." : "decoder.layers.\(layer)."
    guard expert != nil, name.hasPrefix("mlp.experts.") else { return place + name }
    return place + "mlp.experts.experts." + name.dropFirst("mlp.experts.".count)
  }
}
