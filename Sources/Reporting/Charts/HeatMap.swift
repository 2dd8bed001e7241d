import Foundations

/// Shares in rows and columns, each a number on a shade.
public struct HeatMap: Sendable {
  var title: String
  var rows: [(name: String, shares: [Double])]
  var rowLabel: String
  var columnLabel: String

  /// A map of `rows`, whose shares are from 0 to 1.
  public init(
    _ title: String, rowLabel: String, columnLabel: String,
    _ rows: [(name: String, shares: [Double])]
  ) {
    self.title = title
    self.rowLabel = rowLabel
    self.columnLabel = columnLabel
    self.rows = rows
  }

  private static let left = 54.0, top = 20.0, rowHeight = 20.0
  /// The widest cells; the narrowest that hold a number.
  private static let widest = 64.0, readable = 26.0

  /// The map, drawn.
  public var drawing: Drawing {
    let columns = max(1, rows.map(\.shares.count).max() ?? 1)
    let width = min(Self.widest, (Drawing.width - Self.left - 10) / Double(columns))
    let most = max(rows.flatMap(\.shares).max() ?? 0, .ulpOfOne)
    let bottom = Self.top + Double(rows.count) * Self.rowHeight
    var cells: Markup = ""
    for (number, row) in rows.enumerated() {
      let y = Self.top + Double(number) * Self.rowHeight
      cells += "<text class=\"end\" x=\"\(Self.left - 7)\" y=\"\(y + 14)\">\(row.name)</text>"
      for (column, share) in row.shares.enumerated() {
        let x = Self.left + Double(column) * width
        // Light enough for the number in it.
        cells += """
          <rect class="f0" fill-opacity="\(0.6 * share / most)" x="\(x + 0.5)" y="\(y + 0.5)" \
          width="\(width - 1)" height="\(Self.rowHeight - 1)"/>
          """
        guard width >= Self.readable else { continue }
        cells += """
          <text class="mid small" x="\(x + width / 2)" y="\(y + 13.5)">\
          \(fixed(100 * share, 0))</text>
          """
      }
    }
    for column in stride(from: 0, to: columns, by: max(1, Int((20 / width).rounded(.up)))) {
      cells += """
        <text class="mid" x="\(Self.left + (Double(column) + 0.5) * width)" y="\(bottom + 16)">\
        \(column)</text>
        """
    }
    let middle = (Self.top + bottom) / 2
    return Drawing(
      width: Drawing.width, height: bottom + 44, title: title,
      content: """
        \(cells)<text class="mid" x="\(Self.left + width * Double(columns) / 2)" \
        y="\(bottom + 36)">\(columnLabel)</text>\
        <text class="mid" transform="translate(13 \(middle)) rotate(-90)">\(rowLabel)</text>
        """)
  }
}
