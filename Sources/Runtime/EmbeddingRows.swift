public import Architectures
package import Kernels
package import TensorTypes

/// Where token ids become numbers: rows of the embedding as f32 times the model's factor, and the sinks
/// before every text.
package struct EmbeddingRows: Sendable {
  private let view: TensorView
  private let origin: TensorOrigin
  private let model: ModelDescription
  /// Whether the mapped pages are dropped after each use: a text touches most of them.
  private let dropsPages: Bool
  /// The sinks [n, H].
  package let sinks: FloatMatrix

  /// The rows of `source`, whose model is `model`.
  package init(
    _ source: any WeightSource, model: ModelDescription, dropsPages: Bool = true
  ) throws {
    self.model = model
    self.dropsPages = dropsPages
    origin = TensorOrigin(TensorAddress(.embedding), in: source)
    view = try origin.view
    guard model.sinkCount > 0 else {
      sinks = FloatMatrix(rows: 0, columns: model.hiddenSize)
      return
    }
    let tokens = TensorOrigin(TensorAddress(.sinkTokens), in: source)
    sinks = FloatMatrix(decoding: try tokens.view)
    try check(sinks, of: tokens) { $0 }
    sinks.scale(by: model.multipliers.embedding)
  }

  /// The rows of `ids` [T, H]; throws for an id without a row, and for a row that is no numbers.
  package func rows(_ ids: some Collection<Int>) throws -> FloatMatrix {
    try model.requireRows(for: ids)
    let matrix = FloatMatrix(rows: ids.count, columns: model.hiddenSize)
    for (row, id) in ids.enumerated() {
      matrix.decode(view, rows: id..<id + 1, to: row)
    }
    if dropsPages { view.discard() }
    try check(matrix, of: origin) { ids[ids.index(ids.startIndex, offsetBy: $0)] }
    matrix.scale(by: model.multipliers.embedding)
    return matrix
  }

  /// Throws when rows of the tensor at `origin` hold what cannot be computed with; `row` is where
  /// one of them lies in the tensor.
  private func check(
    _ rows: FloatMatrix, of origin: TensorOrigin, row: (Int) -> Int
  ) throws {
    guard let index = rows.firstTooLarge else { return }
    let value = rows.values[index]
    throw RuntimeError.weight(
      origin.name, value: value, index: "[\(row(index / rows.columns)), \(index % rows.columns)]")
  }
}

extension ModelDescription {
  /// Throws for the first of `ids` that the embedding has no row for.
  ///
  /// - Parameter text: what a token says, for the message; nil where that is not known.
  public func requireRows(
    for ids: some Collection<Int>, text: (Int) -> String? = { _ in nil }
  ) throws(RuntimeError) {
    let range = 0..<vocabularySize
    for id in ids where !range.contains(id) {
      throw .tokenOutOfRange(id, text: text(id), vocabulary: vocabularySize)
    }
  }
}
