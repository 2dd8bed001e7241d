/// How one format names its tensors: rows that both parse and print.
public struct NameTable: Sendable {
  /// One naming pattern and what it means.
  public struct Row: Sendable {
    /// The pattern; `{layer}` and `{expert}` stand for decimal numbers without leading zeros.
    public var pattern: String
    /// What the pattern names, or nil when matching tensors are known and ignored.
    public var meaning: Meaning?

    /// A row naming a tensor.
    public init(
      _ pattern: String, _ role: TensorAddress.Role,
      _ parameter: TensorAddress.Parameter = .weight, sharedExpert: Bool = false
    ) {
      self.pattern = pattern
      self.meaning = Meaning(role: role, parameter: parameter, sharedExpert: sharedExpert)
    }

    /// A row whose tensors carry nothing the model needs (for example cached inverse frequencies).
    public init(ignored pattern: String) {
      self.pattern = pattern
      self.meaning = nil
    }
  }

  /// The part of an address that does not come from the numbers in the name.
  public struct Meaning: Sendable, Hashable {
    var role: TensorAddress.Role
    var parameter: TensorAddress.Parameter
    var sharedExpert: Bool
  }

  /// What a name turned out to be.
  public enum Match: Sendable, Equatable {
    case tensor(TensorAddress)
    case ignored
    case unknown
  }

  private struct Compiled {
    var row: Row
    var pieces: [Substring]
  }

  private let rows: [Compiled]
  private let patternOf: [Key: String]

  private struct Key: Hashable {
    var meaning: Meaning
    var routed: Bool
  }

  /// A table of the given rows; the first matching row wins.
  public init(_ rows: [Row]) {
    self.rows = rows.map { row in
      Compiled(row: row, pieces: NameTable.pieces(of: row.pattern))
    }
    var patternOf: [Key: String] = [:]
    for row in rows {
      guard let meaning = row.meaning else { continue }
      let key = Key(meaning: meaning, routed: row.pattern.contains("{expert}"))
      if patternOf[key] == nil { patternOf[key] = row.pattern }
    }
    self.patternOf = patternOf
  }

  /// The same table for files whose names lack `dropped` at their start, where they would have it, and
  /// then have `added` there.
  public func renamed(dropping dropped: String, adding added: String) -> NameTable {
    NameTable(
      rows.map { compiled in
        var row = compiled.row
        if row.pattern.hasPrefix(dropped) { row.pattern.removeFirst(dropped.count) }
        row.pattern = added + row.pattern
        return row
      })
  }

  /// What `name` means in this table.
  public func match(_ name: String) -> Match {
    for compiled in rows {
      guard let numbers = NameTable.numbers(in: name, matching: compiled.pieces) else { continue }
      guard let meaning = compiled.row.meaning else { return .ignored }
      var address = TensorAddress(meaning.role, meaning.parameter)
      if meaning.sharedExpert { address.expert = .shared }
      for (kind, number) in numbers {
        if kind == "{layer}" { address.layer = number } else { address.expert = .routed(number) }
      }
      return .tensor(address)
    }
    return .unknown
  }

  /// The name of `address`, or nil when this format has none for it.
  public func name(of address: TensorAddress) -> String? {
    var routed = false
    var expertText = ""
    if case .routed(let index) = address.expert {
      routed = true
      expertText = String(index)
    }
    let meaning = Meaning(
      role: address.role, parameter: address.parameter, sharedExpert: address.expert == .shared)
    guard let pattern = patternOf[Key(meaning: meaning, routed: routed)] else { return nil }
    return NameTable.pieces(of: pattern).map { piece in
      switch piece {
      case "{layer}": address.layer.map(String.init) ?? ""
      case "{expert}": expertText
      default: String(piece)
      }
    }.joined()
  }

  /// Splits `a.{layer}.b` into `a.`, `{layer}`, `.b`.
  private static func pieces(of pattern: String) -> [Substring] {
    var pieces: [Substring] = []
    var rest = pattern[...]
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
      if open > rest.startIndex { pieces.append(rest[..<open]) }
      pieces.append(rest[open...close])
      rest = rest[rest.index(after: close)...]
    }
    if !rest.isEmpty { pieces.append(rest) }
    return pieces
  }

  /// The numbers standing in the placeholders, or nil when `name` does not match.
  private static func numbers(
    in name: String, matching pieces: [Substring]
  ) -> [(kind: Substring, number: Int)]? {
    var rest = name[...]
    var found: [(kind: Substring, number: Int)] = []
    for piece in pieces {
      if piece.first == "{" {
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits), String(number) == digits else { return nil }
        found.append((piece, number))
        rest = rest.dropFirst(digits.count)
      } else {
        guard rest.hasPrefix(piece) else { return nil }
        rest = rest.dropFirst(piece.count)
      }
    }
    return rest.isEmpty ? found : nil
  }
}
