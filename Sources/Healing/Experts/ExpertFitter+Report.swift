public import Streams

extension ExpertFitter {
  /// What is known of a layer after it was passed.
  public struct LayerReport: Streams.LayerReport {
    /// The layer.
    public var layer: Int
    /// How many tokens of the text each routed expert is sent; empty in a dense layer.
    public var tokens: [Int] = []
    /// Squared error of the stream after the layer on held-out tokens, relative to what the experts
    /// should add to it: with copies, and with refitted experts.
    public var before: Double?
    public var after: Double?
    /// Experts that stay copies because they are sent too few tokens.
    public var few: [Int] = []
    /// Experts that stay copies because no refit is better on held-out tokens.
    public var kept: [Int] = []
    /// Median over tokens of |teacher - model| / |teacher| of the stream leaving the layer.
    public var drift: Double?
    /// The norm of the massive tokens' stream relative to the teacher's; median.
    public var sink: Double?
    /// Seconds spent.
    public var seconds = 0.0

    init(layer: Int) { self.layer = layer }
  }
}
