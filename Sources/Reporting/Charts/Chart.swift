/// Series over two axes.
public struct Chart: Sendable {
  var title: String
  var x: Axis
  var y: Axis
  var series: [Series]

  /// A chart of `series`; `title` is for people who do not see it.
  public init(_ title: String, x: Axis, y: Axis, _ series: [Series]) {
    self.title = title
    self.x = x
    self.y = y
    self.series = series
  }

  /// Height of the area between the axes.
  private static let plotHeight = 240.0

  /// The chart, drawn.
  public var drawing: Drawing {
    let legend = Legend(series.map { .init($0.name, color: $0.color, mark: $0.mark) })
    let labels = y.ticks.map { Lettering.width(y.text($0)) }
    let left = 34 + (labels.max() ?? 0)
    let frame = Frame(
      left: left, right: Drawing.width - 22, top: legend.height + 14,
      bottom: legend.height + 14 + Self.plotHeight)
    let dots = Markup(series.map { draw($0, in: frame) })
    return Drawing(
      width: Drawing.width, height: frame.bottom + 46, title: title,
      content: "\(legend.markup(from: left))\(axes(frame))\(dots)")
  }

  /// Where the area between the axes lies.
  private struct Frame {
    var left: Double
    var right: Double
    var top: Double
    var bottom: Double

    func across(_ share: Double) -> Double { left + share * (right - left) }
    func up(_ share: Double) -> Double { bottom - share * (bottom - top) }
  }

  private func axes(_ frame: Frame) -> Markup {
    var markup: Markup = ""
    for tick in y.ticks {
      guard let share = y.position(tick) else { continue }
      let height = frame.up(share)
      markup += """
        <path class="grid" d="M\(frame.left) \(height)H\(frame.right)"/>\
        <text class="end" x="\(frame.left - 7)" y="\(height + 4)">\(y.text(tick))</text>
        """
    }
    for tick in x.ticks {
      guard let share = x.position(tick) else { continue }
      let place = frame.across(share)
      markup += """
        <path class="axis" d="M\(place) \(frame.bottom)v5"/>\
        <text class="mid" x="\(place)" y="\(frame.bottom + 19)">\(x.text(tick))</text>
        """
    }
    let middle = (frame.top + frame.bottom) / 2
    markup += """
      <path class="axis" d="M\(frame.left) \(frame.bottom)H\(frame.right)"/>\
      <text class="mid" x="\((frame.left + frame.right) / 2)" y="\(frame.bottom + 39)">\
      \(x.label)</text>\
      <text class="mid" transform="translate(13 \(middle)) rotate(-90)">\(y.label)</text>
      """
    return markup
  }

  private func draw(_ series: Series, in frame: Frame) -> Markup {
    let places = series.points.map { point -> (x: Double, y: Double)? in
      guard let x = x.position(point.x), let y = y.position(point.y) else { return nil }
      return (frame.across(x), frame.up(y))
    }
    let color = series.color % Style.colors
    var markup: Markup = ""
    switch series.mark {
    case .bars:
      let width = 0.84 * abs(frame.across(x.position(x.range.lowerBound + 1) ?? 0) - frame.left)
      let bars = places.compactMap(\.self).map { place -> Markup in
        "M\(place.x - width / 2) \(frame.bottom)V\(place.y)h\(width)V\(frame.bottom)z"
      }
      return "<path class=\"f\(color)\" d=\"\(Markup(bars))\"/>"
    case .line, .dashed:
      let dashed: Markup = series.mark == .dashed ? " dashed" : ""
      markup += """
        <path class="line l\(color)\(dashed)" d="\(Self.path(places))"/>
        """
    case .dots: break
    }
    for (point, place) in zip(series.points, places) {
      guard let place else { continue }
      if series.mark != .dashed {
        markup += "<circle class=\"f\(color)\" cx=\"\(place.x)\" cy=\"\(place.y)\" r=\"3\"/>"
      }
      guard let label = point.label else { continue }
      let half = Lettering.width(label) / 2
      let middle = min(max(place.x, frame.left + half), frame.right - half)
      markup += "<text class=\"mid halo\" x=\"\(middle)\" y=\"\(place.y - 9)\">\(label)</text>"
    }
    return markup
  }

  /// A line through places, interrupted where there is none.
  private static func path(_ places: [(x: Double, y: Double)?]) -> Markup {
    var isDrawing = false
    return Markup(
      places.map { place in
        defer { isDrawing = place != nil }
        guard let place else { return "" }
        return isDrawing ? "L\(place.x) \(place.y)" : "M\(place.x) \(place.y)"
      })
  }
}
