/// How the heads of an attention layer lie in memory.
///
/// Query head `h` reads key/value head `h / groupSize` (grouped-query attention).
public struct HeadLayout: Sendable, Hashable {
  /// Query heads; a multiple of `kvHeads`.
  public let heads: Int
  /// Key and value heads.
  public let kvHeads: Int
  /// Channels of a query or key head.
  public let keyDimension: Int
  /// Channels of a value or output head.
  public let valueDimension: Int

  /// A layout whose keys and values have the same number of channels.
  public init(heads: Int, kvHeads: Int, dimension: Int) {
    self.init(heads: heads, kvHeads: kvHeads, keyDimension: dimension, valueDimension: dimension)
  }

  /// A layout; `heads` must be a multiple of `kvHeads`.
  public init(heads: Int, kvHeads: Int, keyDimension: Int, valueDimension: Int) {
    precondition(kvHeads > 0 && heads % kvHeads == 0)
    self.heads = heads
    self.kvHeads = kvHeads
    self.keyDimension = keyDimension
    self.valueDimension = valueDimension
  }

  /// Query heads per key/value head.
  public var groupSize: Int { heads / kvHeads }
  /// Floats of one token's queries.
  public var queryWidth: Int { heads * keyDimension }
  /// Floats of one token's keys.
  public var keyWidth: Int { kvHeads * keyDimension }
  /// Floats of one token's values.
  public var valueWidth: Int { kvHeads * valueDimension }
  /// Floats of one token's outputs.
  public var outputWidth: Int { heads * valueDimension }
  /// Tokens of each of `segments` sequences whose q, k and v these are; their shapes must agree.
  func tokens(
    _ queries: FloatMatrix, _ keys: FloatMatrix, _ values: FloatMatrix, segments: Int
  ) -> Int {
    precondition(
      queries.columns == queryWidth && keys.columns == keyWidth && values.columns == valueWidth)
    precondition(keys.rows == queries.rows && values.rows == queries.rows)
    precondition(segments > 0 && queries.rows % segments == 0)
    return queries.rows / segments
  }

  /// What scores are multiplied by: keyDimension^-1/2.
  public var scale: Float { 1 / Float(keyDimension).squareRoot() }
}
