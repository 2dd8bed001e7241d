/// Values of a chart that belong together.
public struct Series: Sendable, Hashable {
  /// What they are, for the legend.
  public var name: String
  /// The values, in the order in which they are joined; what is not finite interrupts a line.
  public var points: [Point]
  /// How they are drawn.
  public var mark: Mark
  /// Which colour it has.
  public var color: Int

  /// A value at a place.
  public struct Point: Sendable, Hashable {
    public var x: Double
    public var y: Double
    /// A short text beside it.
    public var label: String?

    /// The value `y` at `x`.
    public init(_ x: Double, _ y: Double, label: String? = nil) {
      self.x = x
      self.y = y
      self.label = label
    }
  }

  /// How values are drawn.
  public enum Mark: Sendable, Hashable {
    /// Joined by a line, with dots.
    case line
    /// Joined by a line of dashes, without dots.
    case dashed
    /// Dots alone.
    case dots
    /// Bars from the foot of the chart, one unit of x wide.
    case bars
  }

  /// A series.
  public init(_ name: String, _ points: [Point], mark: Mark = .line, color: Int = 0) {
    self.name = name
    self.points = points
    self.mark = mark
    self.color = color
  }
}
