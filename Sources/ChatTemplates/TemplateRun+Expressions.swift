extension TemplateRun {
  func value(of expression: TemplateExpression) throws(ChatTemplateError) -> TemplateValue {
    let value = try found(expression)
    guard isStrict, case .undefined = value else { return value }
    guard case .name(let name) = expression else { throw failure("an undefined value is used") }
    throw failure("there is no \"\(name)\", or it is a number that is not whole")
  }

  private func found(
    _ expression: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateValue {
    try spend(steps: 1)
    try descend()
    defer { budget.ascend() }
    switch expression {
    case .literal(let literal): return TemplateValue(literal)
    case .name(let name): return named(name)
    case .member(let object, let name):
      return try member(of: try value(of: object), .string(name))
    case .item(let object, let key):
      return try member(of: try value(of: object), try value(of: key))
    case .slice(let object, let from, let to, let by):
      return try slice(
        try value(of: object), from: try bound(from), to: try bound(to), by: try bound(by) ?? 1)
    case .call(let callee, let arguments): return try call(callee, arguments)
    case .filter(let operand, let name, let arguments):
      return try filter(name, try value(of: operand), try evaluate(arguments))
    case .test(let operand, let name, let arguments):
      return .bool(try test(name, try value(of: operand), try evaluate(arguments).positional))
    case .not(let operand): return .bool(!(try value(of: operand).isTrue))
    case .negated(let operand):
      let number = try value(of: operand)
      if case .double(let value) = number { return .double(-value) }
      guard let number = number.number else { throw failure("\"-\" of no number") }
      return .integer(0 &- number)
    case .binary(let operation, let left, let right):
      return try binary(operation, try value(of: left)) { () throws(ChatTemplateError) in
        try value(of: right)
      }
    case .comparisons(let first, let others):
      var left = try value(of: first)
      for (operation, operand) in others {
        let right = try value(of: operand)
        let isNegated = operation == "not in"
        let holds = try binary(isNegated ? "in" : operation, left) { right }.isTrue
        if holds == isNegated { return .bool(false) }
        left = right
      }
      return .bool(true)
    case .choice(let condition, let chosen, let otherwise):
      if try value(of: condition).isTrue { return try value(of: chosen) }
      return try otherwise.map { expression throws(ChatTemplateError) in
        try value(of: expression)
      } ?? .undefined
    case .list(let elements): return try list(try values(of: elements))
    case .dictionary(let members):
      return try dictionary(
        try members.map { member throws(ChatTemplateError) in
          (try value(of: member.key), try value(of: member.value))
        })
    }
  }

  func values(of expressions: [TemplateExpression]) throws(ChatTemplateError) -> [TemplateValue] {
    try expressions.map { expression throws(ChatTemplateError) in try value(of: expression) }
  }

  /// What a loop over a value visits.
  func elements(of value: TemplateValue) throws(ChatTemplateError) -> [TemplateValue] {
    switch value {
    case .undefined: return []
    case .list(let list): return list.elements
    case .dictionary(let dictionary):
      try spend(bytes: dictionary.members.count * TemplateBudget.elementBytes)
      return dictionary.members.map(\.key)
    case .string(let text):
      try spend(bytes: text.utf8.count * TemplateBudget.elementBytes)
      return text.unicodeScalars.map { .string(String(Character($0))) }
    default: throw failure("\(value.kind) has no elements")
    }
  }

  /// A value as `{{ … }}` prints it.
  func text(of value: TemplateValue) throws(ChatTemplateError) -> String {
    switch value {
    case .undefined: return ""
    case .none: return "None"
    case .bool(let value): return value ? "True" : "False"
    case .integer(let value): return String(value)
    case .double(let value): return value.pythonText
    case .string(let text): return text
    default: throw unsupported("printing \(value.kind)")
    }
  }

  func evaluate(
    _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateCall {
    TemplateCall(
      positional: try values(of: arguments.positional),
      named: try arguments.named.map { argument throws(ChatTemplateError) in
        (argument.name, try value(of: argument.value))
      })
  }

  private func named(_ name: String) -> TemplateValue {
    variable(name) ?? (Self.functions.contains(name) ? .function(name) : .undefined)
  }

  private func member(
    of object: TemplateValue, _ key: TemplateValue
  ) throws(ChatTemplateError) -> TemplateValue {
    switch (object, key) {
    case (.undefined, _): throw failure("a member of an undefined value is asked for")
    case (.namespace(let namespace), .string(let name)):
      return namespace.members[name] ?? .undefined
    case (.dictionary, _): return try member(key, of: object) ?? .undefined
    case (.list(let list), .integer(let index)):
      return Self.element(index, of: list.elements) ?? .undefined
    case (.string(let text), .integer(let index)):
      return Self.element(index, of: try scalars(text)).map { .string(String(Character($0))) }
        ?? .undefined
    default: return .undefined
    }
  }

  /// The element at an index, which counts from the end if it is negative.
  private static func element<Element>(_ index: Int, of elements: [Element]) -> Element? {
    let position = index < 0 ? index + elements.count : index
    return elements.indices.contains(position) ? elements[position] : nil
  }

  private func bound(_ expression: TemplateExpression?) throws(ChatTemplateError) -> Int? {
    guard let expression else { return nil }
    let value = try value(of: expression)
    if case .none = value { return nil }
    guard let number = value.number else { throw failure("\(value.kind) bounds a slice") }
    return number
  }

  private func slice(
    _ object: TemplateValue, from: Int?, to: Int?, by step: Int
  ) throws(ChatTemplateError) -> TemplateValue {
    if case .string(let text) = object {
      let scalars = try scalars(text)
      return try string(String(try slice(scalars, from: from, to: to, by: step)))
    }
    return try list(try slice(try elements(of: object), from: from, to: to, by: step))
  }

  /// A slice with Python's rules for negative and missing bounds.
  private func slice<Element>(
    _ elements: [Element], from: Int?, to: Int?, by step: Int
  ) throws(ChatTemplateError) -> [Element] {
    guard step != 0, step.magnitude <= UInt(Int32.max) else { throw failure("malformed slice") }
    func clamp(_ index: Int, _ low: Int, _ high: Int) -> Int {
      min(max(index < 0 ? max(index, -elements.count - 1) + elements.count : index, low), high)
    }
    let picked =
      if step > 0 {
        stride(
          from: clamp(from ?? 0, 0, elements.count),
          to: clamp(to ?? elements.count, 0, elements.count), by: step)
      } else {
        stride(
          from: clamp(from ?? elements.count - 1, -1, elements.count - 1),
          to: to.map { clamp($0, -1, elements.count - 1) } ?? -1, by: step)
      }
    return picked.map { elements[$0] }
  }

  /// - Parameter right: the right operand, which "and" and "or" may not need.
  private func binary(
    _ operation: String, _ first: TemplateValue,
    _ right: () throws(ChatTemplateError) -> TemplateValue
  ) throws(ChatTemplateError) -> TemplateValue {
    switch operation {
    case "and": return first.isTrue ? try right() : first
    case "or": return first.isTrue ? first : try right()
    default: break
    }
    let second = try right()
    switch operation {
    case "==": return .bool(try equal(first, second))
    case "!=": return .bool(try !equal(first, second))
    case "in": return .bool(try contains(second, first))
    case "~": return try joined(try text(of: first), try text(of: second))
    case "<", "<=", ">", ">=": return .bool(try ordered(operation, first, second))
    case "+":
      if case .string(let left) = first, case .string(let right) = second {
        return try joined(left, right)
      }
      if case .list(let left) = first, case .list(let right) = second {
        try spend(bytes: (left.elements.count + right.elements.count) * TemplateBudget.elementBytes)
        return try list(left.elements + right.elements)
      }
      return try arithmetic(operation, first, second)
    default: return try arithmetic(operation, first, second)
    }
  }

  private func joined(
    _ left: String, _ right: String
  ) throws(ChatTemplateError) -> TemplateValue {
    try spend(bytes: left.utf8.count + right.utf8.count)
    return .string(left + right)
  }

  private func contains(
    _ container: TemplateValue, _ value: TemplateValue
  ) throws(ChatTemplateError) -> Bool {
    if case .string(let text) = container {
      guard case .string(let part) = value else { throw failure("\(value.kind) in a string") }
      let search = TextSearch(try scalars(part))
      return search.next(in: try scalars(text), from: 0) != nil || part.isEmpty
    }
    return try holds(try elements(of: container), value)
  }

  func ordered(
    _ operation: String, _ left: TemplateValue, _ right: TemplateValue
  ) throws(ChatTemplateError) -> Bool {
    let order: Int
    if let left = left.number, let right = right.number {
      order = left < right ? -1 : left > right ? 1 : 0
    } else if let left = left.double, let right = right.double {
      if left.isNaN || right.isNaN { return false }
      order = left < right ? -1 : left > right ? 1 : 0
    } else if case .string(let left) = left, case .string(let right) = right {
      try spend(bytes: min(left.utf8.count, right.utf8.count))
      let less = left.unicodeScalars.lexicographicallyPrecedes(right.unicodeScalars)
      order = less ? -1 : left.utf8.elementsEqual(right.utf8) ? 0 : 1
    } else {
      throw failure("\(left.kind) and \(right.kind) have no order")
    }
    switch operation {
    case "<": return order < 0
    case "<=": return order <= 0
    case ">": return order > 0
    default: return order >= 0
    }
  }

  /// Integer arithmetic; divisions round down, as Python's do.
  private func arithmetic(
    _ operation: String, _ left: TemplateValue, _ right: TemplateValue
  ) throws(ChatTemplateError) -> TemplateValue {
    guard operation != "/", let left = left.number, let right = right.number else {
      guard let first = left.double, let second = right.double else {
        throw failure("\"\(operation)\" of \(left.kind) and \(right.kind)")
      }
      return .double(try fractions(operation, first, second))
    }
    let result: (partialValue: Int, overflow: Bool)
    switch operation {
    case "+": result = left.addingReportingOverflow(right)
    case "-": result = left.subtractingReportingOverflow(right)
    case "*": result = left.multipliedReportingOverflow(by: right)
    case "//", "%":
      var (quotient, overflow) = left.dividedReportingOverflow(by: right)
      let remainder = left.remainderReportingOverflow(dividingBy: right).partialValue
      let rounds = !overflow && remainder != 0 && (remainder < 0) != (right < 0)
      if rounds { quotient -= 1 }
      result = (operation == "//" ? quotient : rounds ? remainder + right : remainder, overflow)
    default: throw unsupported("operator \"\(operation)\"")
    }
    guard !result.overflow else { throw failure("\"\(operation)\" overflows") }
    return .integer(result.partialValue)
  }
}

extension TemplateRun {
  /// Arithmetic with fractions; remainders have the sign of the divisor, as Python's do.
  private func fractions(
    _ operation: String, _ left: Double, _ right: Double
  ) throws(ChatTemplateError) -> Double {
    switch operation {
    case "+": return left + right
    case "-": return left - right
    case "*": return left * right
    case "/", "//", "%":
      guard right != 0 else { throw failure("\"\(operation)\" by zero") }
      if operation == "/" { return left / right }
      var remainder = left.truncatingRemainder(dividingBy: right)
      if remainder != 0, (remainder < 0) != (right < 0) { remainder += right }
      return operation == "%" ? remainder : ((left - remainder) / right).rounded()
    default: throw unsupported("operator \"\(operation)\"")
    }
  }
}

extension Double {
  /// The number as Python prints it.
  var pythonText: String {
    if isNaN { return "nan" }
    if isInfinite { return self < 0 ? "-inf" : "inf" }
    // From 2^53 on Swift writes exponents, Python from 10^16 on.
    if magnitude >= 0x1p53, magnitude < 1e16, let whole = Int(exactly: self) { return "\(whole).0" }
    return description
  }
}

/// The values of a call's arguments.
struct TemplateCall {
  var positional: [TemplateValue] = []
  var named: [(name: String, value: TemplateValue)] = []

  /// The argument at a position or of a name.
  func argument(_ index: Int, _ name: String) -> TemplateValue? {
    index < positional.count ? positional[index] : named.last { $0.name == name }?.value
  }
}

extension String {
  var scalars: [Unicode.Scalar] { Array(unicodeScalars) }

  init(_ scalars: some Sequence<Unicode.Scalar>) {
    self = ""
    unicodeScalars.append(contentsOf: scalars)
  }
}
