/// Spikes of some neurons over time, one row per neuron.
public struct Raster: Sendable {
  /// What it shows, for people who do not see it.
  var title: String
  /// Steps that belong together, such as those of one token.
  var blocks: [Block]
  /// Neurons.
  var rows: Int
  /// What the axis of time is.
  var timeLabel: String

  /// Some steps.
  public struct Block: Sendable {
    /// Its name, written above it as far as there is room.
    public var label: String
    /// Steps.
    public var steps: Int
    /// -1, 0 or 1 [steps, rows].
    public var spikes: [Int8]

    /// A block whose `spikes` has one element per step and row, step by step.
    public init(_ label: String, steps: Int, spikes: [Int8]) {
      self.label = label
      self.steps = steps
      self.spikes = spikes
    }
  }

  /// A raster of `rows` neurons.
  public init(_ title: String, rows: Int, timeLabel: String, _ blocks: [Block]) {
    precondition(blocks.allSatisfy { $0.spikes.count == $0.steps * rows })
    self.title = title
    self.rows = rows
    self.timeLabel = timeLabel
    self.blocks = blocks
  }

  private static let rowHeight = 7.0, left = 44.0

  /// The raster, drawn.
  public var drawing: Drawing {
    let isSigned = blocks.contains { $0.spikes.contains { $0 < 0 } }
    let legend = Legend(
      [.init(isSigned ? "positive spike" : "spike", color: 0)]
        + (isSigned ? [.init("negative spike", color: 1)] : []))
    let top = legend.height + 26, bottom = top + Double(rows) * Self.rowHeight
    let steps = max(1, blocks.reduce(0) { $0 + $1.steps })
    let width = (Drawing.width - 12 - Self.left) / Double(steps)
    var names: Markup = "", ends: Markup = ""
    var paths: [Markup] = ["", ""], x = Self.left
    for block in blocks {
      let end = x + Double(block.steps) * width
      let name = Lettering.cut(block.label, to: end - x - 4)
      names += "<text x=\"\(x + 3)\" y=\"\(top - 6)\">\(name)</text>"
      ends += "M\(end) \(top - 16)V\(bottom)"
      for step in 0..<block.steps {
        for row in 0..<rows where block.spikes[step * rows + row] != 0 {
          let place: Markup =
            "M\(x + (Double(step) + 0.12) * width) \(top + (Double(row) + 0.1) * Self.rowHeight)"
          paths[block.spikes[step * rows + row] > 0 ? 0 : 1] +=
            "\(place)h\(0.76 * width)v\(0.8 * Self.rowHeight)h\(-0.76 * width)z"
        }
      }
      x = end
    }
    return Drawing(
      width: Drawing.width, height: bottom + 30, title: title,
      content: """
        \(legend.markup(from: Self.left))\(names)\
        <path class="grid" d="M\(Self.left) \(top - 16)V\(bottom)\(ends)M\(Self.left) \(top)\
        H\(Drawing.width - 12)M\(Self.left) \(bottom)H\(Drawing.width - 12)"/>\
        <path class="f0" d="\(paths[0])"/><path class="f1" d="\(paths[1])"/>\
        <text class="mid" x="\((Self.left + Drawing.width - 12) / 2)" y="\(bottom + 20)">\
        \(timeLabel)</text>\
        <text class="end" x="\(Self.left - 6)" y="\(top + 9)">0</text>\
        <text class="end" x="\(Self.left - 6)" y="\(bottom - 1)">\(rows - 1)</text>\
        <text class="mid" transform="translate(13 \((top + bottom) / 2)) rotate(-90)">neuron</text>
        """)
  }
}
