/// What an adapter makes of a stored tensor when its values are decoded: a product of two thin matrices is
/// added to it, or the values are the adapter's own.
///
/// Source: LoRA, arXiv 2106.09685, section 4.1.
public struct AdapterMerge: Sendable {
  /// What tells the adapter's weights from others: their SHA-256, in hexadecimal digits.
  public let digest: String
  /// What is added; nil where the values that are decoded are the adapter's own.
  public let update: LowRankUpdate?

  /// A merge with the adapter of weights `digest`.
  public init(digest: String, update: LowRankUpdate?) {
    self.digest = digest
    self.update = update
  }

  /// The same for rows `range` of the tensor, in logical order.
  package func slice(rows range: Range<Int>) -> AdapterMerge {
    AdapterMerge(digest: digest, update: update?.slice(rows: range))
  }
}

/// left · right · scale, for a matrix of `left.rows` rows and `right.columns` columns.
///
/// A class, as views of tensors hold it and it holds views.
public final class LowRankUpdate: Sendable {
  /// [rows, rank]; rows in logical order.
  public let left: TensorView
  /// [rank, columns].
  public let right: TensorView
  /// What the product is multiplied by.
  public let scale: Float

  /// The inner dimension.
  public var rank: Int { right.rows }

  /// - Precondition: both lie as they are stored, hold floating-point numbers, and fit each other.
  public init(left: TensorView, right: TensorView, scale: Float) {
    precondition(left.columns == right.rows)
    self.left = left
    self.right = right
    self.scale = scale
  }

  fileprivate func slice(rows range: Range<Int>) -> LowRankUpdate {
    LowRankUpdate(left: left.slice(rows: range), right: right, scale: scale)
  }
}
