/// Builds the statements of a chat template from its tokens.
struct TemplateParser {
  private let tokens: [TemplateToken]
  private var position = 0
  private var depth = 0
  /// How many levels the expression has that was read last.
  var height = 0

  static func parse(
    _ text: String, whiteSpace: TemplateLexer.WhiteSpace = .trimmed
  ) throws(ChatTemplateError) -> [TemplateStatement] {
    guard text.utf8.count <= ChatTemplateLimits.textBytes else {
      throw .tooLarge(bytes: text.utf8.count, limit: ChatTemplateLimits.textBytes)
    }
    var parser = TemplateParser(tokens: try TemplateLexer.tokens(of: text, whiteSpace: whiteSpace))
    let (statements, _) = try parser.body(until: [])
    return statements
  }

  private init(tokens: [TemplateToken]) { self.tokens = tokens }

  /// Reads statements up to one of the tags `ends`, whose name it takes and returns.
  private mutating func body(
    until ends: Set<String>
  ) throws(ChatTemplateError) -> ([TemplateStatement], end: String) {
    try descend()
    defer { depth -= 1 }
    var statements: [TemplateStatement] = []
    while true {
      let line = self.line
      switch next() {
      case .text(let text):
        statements.append(TemplateStatement(kind: .text(text), line: line))
      case .outputStart:
        let value = try expression()
        try expect(.outputEnd)
        statements.append(TemplateStatement(kind: .output(value), line: line))
      case .blockStart:
        let tag = try name()
        if ends.contains(tag) { return (statements, tag) }
        if let kind = try statement(tag) {
          statements.append(TemplateStatement(kind: kind, line: line))
        }
      case .end where ends.isEmpty: return (statements, "")
      default: throw error("expected \(ends.sorted().joined(separator: " or "))")
      }
    }
  }

  private mutating func statement(
    _ tag: String
  ) throws(ChatTemplateError) -> TemplateStatement.Kind? {
    switch tag {
    case "if": return try conditional()
    case "for": return try loop()
    case "set": return try assignment()
    case "macro": return try macro()
    case "break":
      try expect(.blockEnd)
      return .leaveLoop
    case "continue":
      try expect(.blockEnd)
      return .nextTurn
    case "generation", "endgeneration":
      // Marks what the model wrote, for training; it prints nothing.
      try expect(.blockEnd)
      return nil
    default: throw .unsupported("the tag \"\(tag)\"", line: line)
    }
  }

  private mutating func conditional() throws(ChatTemplateError) -> TemplateStatement.Kind {
    var branches: [(condition: TemplateExpression, body: [TemplateStatement])] = []
    var condition = try expression()
    while true {
      try expect(.blockEnd)
      let (body, end) = try body(until: ["elif", "else", "endif"])
      branches.append((condition, body))
      switch end {
      case "elif": condition = try expression()
      case "else": condition = .literal(.bool(true))
      default:
        try expect(.blockEnd)
        return .conditional(branches)
      }
    }
  }

  private mutating func loop() throws(ChatTemplateError) -> TemplateStatement.Kind {
    let names = try targets()
    guard try name() == "in" else { throw error("expected \"in\"") }
    let items = try disjunction()
    let condition = take(name: "if") ? try expression() : nil
    try expect(.blockEnd)
    var (body, end) = try body(until: ["else", "endfor"])
    var otherwise: [TemplateStatement] = []
    if end == "else" {
      try expect(.blockEnd)
      (otherwise, end) = try self.body(until: ["endfor"])
    }
    try expect(.blockEnd)
    return .loop(
      TemplateLoop(
        names: names, items: items, condition: condition, body: body, otherwise: otherwise))
  }

  private mutating func assignment() throws(ChatTemplateError) -> TemplateStatement.Kind {
    let names = try targets()
    if names.count == 1, take(symbol: ".") {
      let attribute = try name()
      try expect(.symbol("="))
      let value = try expression()
      try expect(.blockEnd)
      return .assignMember(object: names[0], attribute: attribute, value)
    }
    if take(symbol: "=") {
      let value = try expression()
      try expect(.blockEnd)
      return .assign(names: names, value)
    }
    try expect(.blockEnd)
    let (body, _) = try body(until: ["endset"])
    try expect(.blockEnd)
    return .capture(name: names[0], body)
  }

  private mutating func macro() throws(ChatTemplateError) -> TemplateStatement.Kind {
    let name = try name()
    var parameters: [(name: String, fallback: TemplateExpression?)] = []
    try expect(.symbol("("))
    while !take(symbol: ")") {
      if !parameters.isEmpty { try expect(.symbol(",")) }
      let parameter = try self.name()
      parameters.append((parameter, take(symbol: "=") ? try expression() : nil))
    }
    try expect(.blockEnd)
    let (body, _) = try body(until: ["endmacro"])
    try expect(.blockEnd)
    return .macro(TemplateMacro(name: name, parameters: parameters, body: body))
  }

  private mutating func targets() throws(ChatTemplateError) -> [String] {
    var names = [try name()]
    while take(symbol: ",") { names.append(try name()) }
    return names
  }
}

extension TemplateParser {
  var line: Int { tokens[position].line }

  /// The next token, which stays.
  var peek: TemplateToken.Kind { tokens[position].kind }

  /// Takes the next token; the end is never passed.
  mutating func next() -> TemplateToken.Kind {
    let kind = tokens[position].kind
    if kind != .end { position += 1 }
    return kind
  }

  mutating func take(symbol: String) -> Bool { take(.symbol(symbol)) }

  mutating func take(name: String) -> Bool { take(.name(name)) }

  private mutating func take(_ kind: TemplateToken.Kind) -> Bool {
    guard peek == kind else { return false }
    position += 1
    return true
  }

  mutating func expect(_ kind: TemplateToken.Kind) throws(ChatTemplateError) {
    guard take(kind) else { throw error("expected \(kind), found \(peek)") }
  }

  mutating func name() throws(ChatTemplateError) -> String {
    guard case .name(let name) = peek else { throw error("expected a name, found \(peek)") }
    position += 1
    return name
  }

  /// Counts a level of nesting; the caller takes it back.
  mutating func descend() throws(ChatTemplateError) {
    depth += 1
    guard depth <= ChatTemplateLimits.nesting else { throw error("nested too deep") }
  }

  mutating func ascend() { depth -= 1 }

  /// Records an expression on top of one that is `below` levels high. Running and freeing it is
  /// recursive, also where reading it was a loop.
  mutating func rise(above below: Int) throws(ChatTemplateError) {
    height = below + 1
    guard height <= ChatTemplateLimits.recursion else { throw error("nested too deep") }
  }

  func error(_ reason: String) -> ChatTemplateError {
    .syntax(reason: reason, line: line)
  }
}
