public import Streams

extension Healer {
  /// What is known of a layer after it was passed.
  public struct LayerReport: Streams.LayerReport {
    /// The layer.
    public var layer: Int
    /// Held-out relative error of the attention output: as converted, after the closed form, at
    /// the end. Nil for layers that keep softmax attention.
    public var before: Double?
    public var afterRidge: Double?
    public var after: Double?
    /// Gradient steps taken.
    public var steps: Int
    /// The share of linear attention, beside softmax attention in the same layer: the mean squared
    /// norm of what it gives to the output of o_proj, of the sum of both such means. Nil without
    /// parallel branches.
    public var linearShare: Double?
    /// Median over tokens of |source - healed| / |source| of the stream leaving the layer.
    public var drift: Double?
    /// The norm of the massive tokens' stream relative to the source's, the first token of every
    /// segment among them; median. The attention sink lives while it is near 1.
    public var sink: Double?
    /// Massive tokens of the source's stream other than the first ones of segments.
    public var massiveTokens: Int?
    /// Seconds spent.
    public var seconds: Double

    /// Whether the refit left the layer further from the source than it was.
    public var isWorse: Bool {
      guard let before, let after else { return false }
      return !(after <= before)
    }
  }
}
