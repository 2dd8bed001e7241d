/// A part of a page.
public struct Section: Sendable {
  /// Its name in links: letters and hyphens.
  public var id: String
  /// Its heading.
  public var title: String
  /// What it consists of, in order.
  public var blocks: [Block]

  /// A section.
  public init(_ id: String, _ title: String, _ blocks: [Block]) {
    self.id = id
    self.title = title
    self.blocks = blocks
  }

  /// The figures in it.
  public var figures: [Figure] {
    blocks.compactMap { if case .figure(let figure) = $0 { figure } else { nil } }
  }

  /// A part of a section.
  public enum Block: Sendable {
    /// A paragraph.
    case text(Markup)
    /// A paragraph that is less important, such as how to get what is not there.
    case note(Markup)
    /// Names and values.
    case facts([(name: String, value: String)])
    /// Rows under a header.
    case table(Grid)
    /// A drawing with a caption.
    case figure(Figure)

    var markup: Markup {
      switch self {
      case .text(let text): "<p>\(text)</p>\n"
      case .note(let text): "<p class=\"note\">\(text)</p>\n"
      case .facts(let facts): Grid(rows: facts.map { [$0.name, $0.value] }, headings: 1).markup
      case .table(let grid): grid.markup
      case .figure(let figure): figure.markup
      }
    }
  }

  var markup: Markup {
    "<section id=\"\(id)\">\n<h2>\(title)</h2>\n\(Markup(blocks.map(\.markup)))</section>\n"
  }
}

/// A drawing with a caption; also a file of its own.
public struct Figure: Sendable {
  /// Its name in links and, with `.svg`, that of its file.
  public var name: String
  /// What is to be seen in it.
  public var caption: Markup
  /// The drawing.
  public var drawing: Drawing

  /// A figure.
  public init(_ name: String, _ drawing: Drawing, caption: Markup) {
    self.name = name
    self.drawing = drawing
    self.caption = caption
  }

  var markup: Markup {
    """
    <figure id="\(name)">\(drawing.inline)<figcaption>\(caption)</figcaption></figure>

    """
  }
}

/// Cells of text in rows and columns.
public struct Grid: Sendable {
  var header: [String]
  var rows: [[String]]
  /// The columns that hold numbers.
  var numbers: Set<Int>
  /// Columns from the left that name their row.
  var headings: Int

  /// Rows under a header, if there is one.
  public init(
    _ header: [String] = [], rows: [[String]], numbers: Set<Int> = [], headings: Int = 0
  ) {
    self.header = header
    self.rows = rows
    self.numbers = numbers
    self.headings = headings
  }

  var markup: Markup {
    func row(_ cells: [String], headings: Int) -> Markup {
      let cells = cells.enumerated().map { column, cell -> Markup in
        let style: Markup = numbers.contains(column) ? " class=\"n\"" : ""
        return column < headings ? "<th\(style)>\(cell)</th>" : "<td\(style)>\(cell)</td>"
      }
      return "<tr>\(Markup(cells))</tr>\n"
    }
    let head: Markup =
      header.isEmpty ? "" : "<thead>\(row(header, headings: header.count))</thead>\n"
    let body = Markup(rows.map { row($0, headings: headings) })
    return "<div class=\"wide\"><table>\n\(head)<tbody>\(body)</tbody>\n</table></div>\n"
  }
}
