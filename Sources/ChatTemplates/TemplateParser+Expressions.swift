// Jinja's precedence, loosest first: choice, or, and, not, comparison, + -, ~, * / // %, sign,
// then members, items, calls, filters and tests.
extension TemplateParser {
  mutating func expression() throws(ChatTemplateError) -> TemplateExpression {
    try descend()
    defer { ascend() }
    var value = try disjunction()
    while take(name: "if") {
      var highest = height
      let condition = try disjunction()
      highest = max(highest, height)
      let otherwise = take(name: "else") ? try expression() : nil
      try rise(above: max(highest, height))
      value = .choice(condition: condition, value, otherwise: otherwise)
    }
    return value
  }

  mutating func disjunction() throws(ChatTemplateError) -> TemplateExpression {
    try chain(["or"]) { parser throws(ChatTemplateError) in
      try parser.chain(["and"]) { parser throws(ChatTemplateError) in try parser.negation() }
    }
  }

  private mutating func negation() throws(ChatTemplateError) -> TemplateExpression {
    guard take(name: "not") else { return try comparison() }
    try descend()
    defer { ascend() }
    let value = try negation()
    try rise(above: height)
    return .not(value)
  }

  private mutating func comparison() throws(ChatTemplateError) -> TemplateExpression {
    let left = try sum()
    let leftHeight = height
    guard let operation = comparisonOperator() else { return left }
    let right = try sum()
    // One more for "not in".
    try rise(above: max(leftHeight, height) + 1)
    var others: [(operation: String, operand: TemplateExpression)] = []
    var highest = height
    while let operation = comparisonOperator() {
      others.append((operation, try sum()))
      highest = max(highest, height)
    }
    if !others.isEmpty {
      try rise(above: highest + 1)
      return .comparisons(left, [(operation, right)] + others)
    }
    return operation == "not in"
      ? .not(.binary("in", left, right)) : .binary(operation, left, right)
  }

  private mutating func comparisonOperator() -> String? {
    for symbol in ["==", "!=", "<", "<=", ">", ">="] where take(symbol: symbol) {
      return symbol
    }
    if take(name: "in") { return "in" }
    // Here "not" can only begin "not in".
    if take(name: "not") { return take(name: "in") ? "not in" : "not" }
    return nil
  }

  private mutating func sum() throws(ChatTemplateError) -> TemplateExpression {
    try chain(["+", "-"]) { parser throws(ChatTemplateError) in
      try parser.chain(["~"]) { parser throws(ChatTemplateError) in
        try parser.chain(["*", "/", "//", "%"]) { parser throws(ChatTemplateError) in
          try parser.signed()
        }
      }
    }
  }

  /// Operands joined by operators of equal precedence, from left to right.
  private mutating func chain(
    _ operators: Set<String>,
    _ operand: (inout TemplateParser) throws(ChatTemplateError) -> TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    var value = try operand(&self)
    while let name = peek.word, operators.contains(name) {
      let leftHeight = height
      _ = next()
      let right = try operand(&self)
      try rise(above: max(leftHeight, height))
      value = .binary(name, value, right)
    }
    return value
  }

  private mutating func signed() throws(ChatTemplateError) -> TemplateExpression {
    guard take(symbol: "-") else { return try postfix(try primary()) }
    // Filters and tests are of the negated value.
    let value = try postfix(try primary(), withFilters: false)
    try rise(above: height)
    return try postfix(.negated(value))
  }

  private mutating func primary() throws(ChatTemplateError) -> TemplateExpression {
    let start = line
    height = 1
    switch next() {
    case .string(var text):
      while case .string(let more) = peek {
        text += more
        _ = next()
      }
      return .literal(.string(text))
    case .integer(let value): return .literal(.integer(value))
    case .double(let value): return .literal(.double(value))
    case .name("true"), .name("True"): return .literal(.bool(true))
    case .name("false"), .name("False"): return .literal(.bool(false))
    case .name("none"), .name("None"): return .literal(.none)
    case .name(let name): return .name(name)
    case .symbol("("): return try parenthesised()
    case .symbol("["):
      let elements = try elements(until: "]")
      try rise(above: height)
      return .list(elements)
    case .symbol("{"): return try dictionary()
    case let other:
      throw .syntax(reason: "expected a value, found \(other)", line: start)
    }
  }

  private mutating func parenthesised() throws(ChatTemplateError) -> TemplateExpression {
    if take(symbol: ")") { return .list([]) }
    let first = try expression()
    if take(symbol: ")") { return first }
    try expect(.symbol(","))
    let firstHeight = height
    let others = try elements(until: ")")
    try rise(above: max(firstHeight, height))
    return .list([first] + others)
  }

  private mutating func elements(
    until end: String
  ) throws(ChatTemplateError) -> [TemplateExpression] {
    var elements: [TemplateExpression] = []
    var highest = 0
    defer { height = highest }
    while !take(symbol: end) {
      elements.append(try expression())
      highest = max(highest, height)
      if !take(symbol: ",") {
        try expect(.symbol(end))
        break
      }
    }
    return elements
  }

  private mutating func dictionary() throws(ChatTemplateError) -> TemplateExpression {
    var members: [(key: TemplateExpression, value: TemplateExpression)] = []
    var highest = 0
    while !take(symbol: "}") {
      if !members.isEmpty { try expect(.symbol(",")) }
      if take(symbol: "}") { break }
      let key = try expression()
      highest = max(highest, height)
      try expect(.symbol(":"))
      members.append((key, try expression()))
      highest = max(highest, height)
    }
    try rise(above: highest)
    return .dictionary(members)
  }

  private mutating func postfix(
    _ start: TemplateExpression, withFilters: Bool = true
  ) throws(ChatTemplateError) -> TemplateExpression {
    var value = start
    while true {
      let below = height
      height = 0
      if take(symbol: ".") {
        value = .member(value, try name())
      } else if take(symbol: "[") {
        value = try subscripted(value)
      } else if take(symbol: "(") {
        value = .call(value, try arguments())
      } else if withFilters, take(symbol: "|") {
        let filter = try name()
        value = .filter(value, name: filter, take(symbol: "(") ? try arguments() : .init())
      } else if withFilters, take(name: "is") {
        value = try test(value)
      } else {
        height = below
        return value
      }
      // One more for "is not".
      try rise(above: max(below, height) + 1)
    }
  }

  private mutating func test(
    _ value: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    let negated = take(name: "not")
    let test = try name()
    var arguments = TemplateArguments()
    if take(symbol: "(") {
      arguments = try self.arguments()
    } else if startsOperand {
      arguments.positional = [try primary()]
    }
    let result = TemplateExpression.test(value, name: test, arguments)
    return negated ? .not(result) : result
  }

  /// Whether a test's argument follows without parentheses, as in `x is divisibleby 2`.
  private var startsOperand: Bool {
    switch peek {
    case .string, .integer, .double: true
    case .name(let name): !["and", "or", "not", "if", "else", "is", "in"].contains(name)
    default: false
    }
  }

  private mutating func subscripted(
    _ value: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    var bounds: [TemplateExpression?] = [nil]
    var highest = 0
    while !take(symbol: "]") {
      if take(symbol: ":") {
        bounds.append(nil)
      } else {
        bounds[bounds.count - 1] = try expression()
        highest = max(highest, height)
      }
    }
    height = highest
    if bounds.count == 1, let index = bounds[0] { return .item(value, index) }
    guard (2...3).contains(bounds.count) else { throw error("malformed subscript") }
    return .slice(value, from: bounds[0], to: bounds[1], by: bounds.count == 3 ? bounds[2] : nil)
  }

  private mutating func arguments() throws(ChatTemplateError) -> TemplateArguments {
    var arguments = TemplateArguments()
    var highest = 0
    defer { height = highest }
    while !take(symbol: ")") {
      let value = try expression()
      if case .name(let name) = value, take(symbol: "=") {
        arguments.named.append((name, try expression()))
      } else {
        arguments.positional.append(value)
      }
      highest = max(highest, height)
      if !take(symbol: ",") {
        try expect(.symbol(")"))
        break
      }
    }
    return arguments
  }
}
