/// The names of a drawing's colours, in lines above it.
struct Legend {
  /// A colour and what it stands for.
  struct Entry {
    var name: String
    var color: Int
    var mark: Series.Mark

    init(_ name: String, color: Int, mark: Series.Mark = .bars) {
      self.name = name
      self.color = color
      self.mark = mark
    }

    /// With the sample and the space to the next.
    var width: Double { 24 + Lettering.width(name) + 16 }
  }

  private let lines: [[Entry]]

  /// The height of all lines.
  var height: Double { Double(lines.count) * Lettering.line }

  /// Entries with names, in as many lines as they need.
  init(_ entries: [Entry]) {
    var lines: [[Entry]] = [], used = Double.infinity
    for entry in entries where !entry.name.isEmpty {
      if used + entry.width > Drawing.width - 60 {
        lines.append([])
        used = 0
      }
      lines[lines.count - 1].append(entry)
      used += entry.width
    }
    self.lines = lines
  }

  /// The legend from the place `left` on.
  func markup(from left: Double) -> Markup {
    var markup: Markup = ""
    for (number, line) in lines.enumerated() {
      var x = left
      let y = Double(number) * Lettering.line + 12
      for entry in line {
        let color = entry.color % Style.colors
        switch entry.mark {
        case .bars: markup += "<path class=\"f\(color)\" d=\"M\(x) \(y - 8)h12v8h-12z\"/>"
        case .dots:
          markup += "<circle class=\"f\(color)\" cx=\"\(x + 6)\" cy=\"\(y - 4)\" r=\"3\"/>"
        case .line, .dashed:
          let dashed: Markup = entry.mark == .dashed ? " dashed" : ""
          markup += "<path class=\"line l\(color)\(dashed)\" d=\"M\(x) \(y - 4)h17\"/>"
        }
        markup += "<text x=\"\(x + 22)\" y=\"\(y)\">\(entry.name)</text>"
        x += entry.width
      }
    }
    return markup
  }
}
