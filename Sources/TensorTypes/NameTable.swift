/// How one format names its tensors: rows that both parse and print.
public struct NameTable: Sendable {
  /// One naming pattern and what it means.
  public struct Row: Sendable {
    /// The pattern; `{layer}` and `{expert}` stand for decimal numbers without leading zeros.
    public var pattern: String
    /// What the pattern names: one tensor, or several whose rows are stored one below the other, first
    /// to last. Empty when matching tensors are known and ignored.
    public private(set) var meanings: [Meaning]
    /// Whether it names a stored tensor [N, rows, columns] that holds the pieces of every routed expert, one
    /// expert's below another's.
    public private(set) var isStacked = false

    /// A row naming a tensor.
    public init(
      _ pattern: String, _ role: TensorAddress.Role,
      _ parameter: TensorAddress.Parameter = .weight, sharedExpert: Bool = false
    ) {
      self.pattern = pattern
      meanings = [Meaning(role: role, parameter: parameter, sharedExpert: sharedExpert)]
    }

    /// A row naming a stored tensor whose pieces are several of the model's: the rows of the first
    /// role's, then those of the next.
    public init(
      _ pattern: String, pieces: [TensorAddress.Role],
      _ parameter: TensorAddress.Parameter = .weight
    ) {
      self.pattern = pattern
      meanings = pieces.map { Meaning(role: $0, parameter: parameter, sharedExpert: false) }
    }

    /// A row naming a stored tensor that is those of `roles` of all routed experts of a layer.
    public init(_ pattern: String, ofAllExperts roles: [TensorAddress.Role]) {
      self.init(pattern, pieces: roles)
      isStacked = true
    }

    /// A row whose tensors carry nothing the model needs (for example cached inverse frequencies).
    public init(ignored pattern: String) {
      self.pattern = pattern
      meanings = []
    }

    /// Whether it names a tensor of one of `roles`.
    public func names(_ roles: Set<TensorAddress.Role>) -> Bool {
      meanings.contains { roles.contains($0.role) }
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
    /// Several tensors of the model, their rows one below the other in this order.
    case pieces([TensorAddress])
    case ignored
    case unknown

    /// The tensors of the model that it is; empty when it is none.
    public var addresses: [TensorAddress] {
      switch self {
      case .tensor(let address): [address]
      case .pieces(let addresses): addresses
      case .ignored, .unknown: []
      }
    }
  }

  private struct Compiled {
    var row: Row
    var pieces: [Substring]
  }

  private let rows: [Compiled]
  private let rowOf: [Key: Row]

  private struct Key: Hashable {
    var meaning: Meaning
    var routed: Bool

    init(meaning: Meaning, routed: Bool) {
      self.meaning = meaning
      self.routed = routed
    }

    init(_ address: TensorAddress) {
      meaning = Meaning(
        role: address.role, parameter: address.parameter, sharedExpert: address.expert == .shared)
      if case .routed = address.expert { routed = true } else { routed = false }
    }
  }

  /// A table of the given rows; the first matching row wins.
  public init(_ rows: [Row]) {
    self.rows = rows.map { row in
      Compiled(row: row, pieces: NameTable.pieces(of: row.pattern))
    }
    var rowOf: [Key: Row] = [:]
    for row in rows {
      for meaning in row.meanings {
        let key = Key(
          meaning: meaning, routed: row.pattern.contains("{expert}") || row.isStacked)
        if rowOf[key] == nil { rowOf[key] = row }
      }
    }
    self.rowOf = rowOf
  }

  /// The same table for files whose names lack `dropped` at their start, where they would have it, and
  /// then have `added` there.
  ///
  /// - Parameter onlyThere: names that would not begin with `dropped` stay as they are.
  public func renamed(
    dropping dropped: String, adding added: String, onlyThere: Bool = false
  ) -> NameTable {
    NameTable(
      rows.map { compiled in
        var row = compiled.row
        let isThere = row.pattern.hasPrefix(dropped)
        if onlyThere, !isThere { return row }
        if isThere { row.pattern.removeFirst(dropped.count) }
        row.pattern = added + row.pattern
        return row
      })
  }

  /// The same table, with names whose tensors carry nothing that the model needs.
  public func ignoring(_ names: [String]) -> NameTable {
    NameTable(rows.map(\.row) + names.map { Row(ignored: $0) })
  }

  /// What `name` means in this table; of a tensor of all experts those of the first.
  public func match(_ name: String) -> Match {
    for compiled in rows {
      guard let numbers = NameTable.numbers(in: name, matching: compiled.pieces) else { continue }
      var addresses = compiled.row.meanings.map { meaning in
        TensorAddress(
          meaning.role, meaning.parameter,
          expert: compiled.row.isStacked ? .routed(0) : meaning.sharedExpert ? .shared : nil)
      }
      for index in addresses.indices {
        for (kind, number) in numbers {
          if kind == "{layer}" {
            addresses[index].layer = number
          } else {
            addresses[index].expert = .routed(number)
          }
        }
      }
      switch addresses.count {
      case 0: return .ignored
      case 1: return .tensor(addresses[0])
      default: return .pieces(addresses)
      }
    }
    return .unknown
  }

  /// The name of the stored tensor that is `address` or holds it among others; nil when this format
  /// has none for it.
  public func name(of address: TensorAddress) -> String? {
    guard let row = rowOf[Key(address)] else { return nil }
    var expertText = ""
    if case .routed(let index) = address.expert { expertText = String(index) }
    return NameTable.pieces(of: row.pattern).map { piece in
      switch piece {
      case "{layer}": address.layer.map(String.init) ?? ""
      case "{expert}": expertText
      default: String(piece)
      }
    }.joined()
  }

  /// The tensors of the model whose rows the stored tensor of `address` holds, first to last: itself
  /// alone in most formats.
  ///
  /// - Parameter experts: the routed experts of its layer.
  public func neighbours(of address: TensorAddress, experts: Int = 0) -> [TensorAddress] {
    guard let row = rowOf[Key(address)] else { return [] }
    let owners = row.isStacked ? (0..<experts).map { .routed($0) } : [address.expert]
    return owners.flatMap { expert in
      row.meanings.map { meaning in
        TensorAddress(meaning.role, meaning.parameter, layer: address.layer, expert: expert)
      }
    }
  }

  /// Whether the stored tensor of `address` is that of all routed experts.
  public func isStacked(_ address: TensorAddress) -> Bool {
    rowOf[Key(address)]?.isStacked ?? false
  }

  /// Whether some stored tensors are several of the model's.
  public var hasPieces: Bool {
    rows.contains { $0.row.meanings.count > 1 || $0.row.isStacked }
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
