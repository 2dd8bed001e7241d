import Foundations

/// Columns of text, aligned: the last one ragged, numbers to the right where asked.
package struct Table {
  private var rows: [[String]] = []
  private let rightAligned: Set<Int>

  /// A table whose columns in `rightAligned` hold numbers.
  package init(rightAligned: Set<Int> = []) { self.rightAligned = rightAligned }

  /// Adds a row.
  package mutating func add(_ cells: String...) { add(cells) }

  /// Adds a row.
  package mutating func add(_ cells: [String]) { rows.append(cells.map(\.printable)) }

  /// The rows as lines, two spaces between columns.
  package var lines: [String] {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        if rightAligned.contains(column) { return space + cell }
        return column == row.count - 1 ? cell : cell + space
      }.joined(separator: "  ")
    }
  }

  /// The table as text.
  package var text: String { lines.joined(separator: "\n") }
}
