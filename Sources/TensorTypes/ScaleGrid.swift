/// Scales of a matrix whose values stand for their nearest multiples: fake quantisation, as the
/// public W8ASpike code does it when it runs.
public final class ScaleGrid: Sendable {
  /// Float32 scales [rows, scales per row].
  public let scales: TensorView
  /// Columns that share a scale.
  public let groupSize: Int

  /// A grid of `scales` [rows, scales per row], each for `groupSize` columns.
  ///
  /// - Precondition: `scales` is float32 in stored order.
  public init(scales: TensorView, groupSize: Int) {
    precondition(scales.type == .float32 && scales.rowOrder == .stored && groupSize > 0)
    self.scales = scales
    self.groupSize = groupSize
  }

  /// Rows that have scales.
  public var rows: Int { scales.rows }

  /// The scale of group `group` of row `row`.
  public func scale(row: Int, group: Int) -> Float {
    scales.row(row).loadUnaligned(fromByteOffset: 4 * group, as: Float.self)
  }

  /// The scales of some rows.
  func slice(rows: Range<Int>) -> ScaleGrid {
    ScaleGrid(scales: scales.slice(rows: rows), groupSize: groupSize)
  }
}
