extension TemplateRun {
  static let functions: Set<String> = ["namespace", "raise_exception", "strftime_now", "range"]

  /// The longest list that `range` makes.
  private static let longestRange = 1 << 16
  /// The steps that a date counts as, and the bytes of its longest format.
  private static let dateSteps = 1 << 10
  private static let longestDateFormat = 64

  func call(
    _ callee: TemplateExpression, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    let values = try evaluate(arguments)
    if case .member(let object, let method) = callee {
      let object = try value(of: object)
      if case .namespace = object {} else { return try self.method(method, object, values) }
    }
    switch try value(of: callee) {
    case .macro(let macro): return try call(macro, values.positional, values.named)
    case .function(let name): return try function(name, values)
    case let other: throw failure("\(other.kind) is called")
    }
  }

  private func function(
    _ name: String, _ call: TemplateCall
  ) throws(ChatTemplateError) -> TemplateValue {
    switch name {
    case "namespace":
      let namespace = TemplateNamespace()
      for (name, value) in call.named { try set(name, of: namespace, to: value) }
      return .namespace(namespace)
    case "raise_exception":
      throw .refused(message: try text(of: call.argument(0, "message") ?? .undefined))
    case "strftime_now":
      // Formatting a date takes long.
      try spend(steps: Self.dateSteps)
      guard case .string(let format) = call.argument(0, "format"),
        format.utf8.count <= Self.longestDateFormat, let text = clock(format)
      else { throw unsupported("this format of the date") }
      return try string(text)
    default: return try range(call.positional)
    }
  }

  private func range(_ arguments: [TemplateValue]) throws(ChatTemplateError) -> TemplateValue {
    let numbers = arguments.compactMap(\.number)
    guard numbers.count == arguments.count, (1...3).contains(numbers.count) else {
      throw failure("malformed range")
    }
    let step = numbers.count == 3 ? numbers[2] : 1
    guard step != 0 else { throw failure("malformed range") }
    let range = stride(
      from: numbers.count == 1 ? 0 : numbers[0], to: numbers[numbers.count == 1 ? 0 : 1], by: step)
    var values: [TemplateValue] = []
    for number in range {
      guard values.count < Self.longestRange else { throw failure("the range is too long") }
      values.append(.integer(number))
    }
    return try list(values)
  }

  func test(
    _ name: String, _ value: TemplateValue, _ arguments: [TemplateValue]
  ) throws(ChatTemplateError) -> Bool {
    switch (name, value) {
    case ("defined", .undefined), ("undefined", .undefined): return name == "undefined"
    case ("defined", _), ("undefined", _): return name == "defined"
    case ("none", .none), ("string", .string), ("mapping", .dictionary), ("boolean", .bool),
      ("integer", .integer), ("number", .integer), ("number", .bool),
      ("number", .double), ("float", .double), ("iterable", .string),
      ("iterable", .list), ("iterable", .dictionary), ("iterable", .undefined),
      ("sequence", .string), ("sequence", .list), ("sequence", .dictionary),
      ("sequence", .undefined), ("callable", .macro), ("callable", .function):
      return true
    case ("none", _), ("string", _), ("mapping", _), ("boolean", _), ("integer", _),
      ("number", _), ("float", _), ("iterable", _), ("sequence", _), ("callable", _):
      return false
    case ("true", .bool(let value)): return value
    case ("false", .bool(let value)): return !value
    case ("true", _), ("false", _): return false
    case ("odd", .integer(let value)): return value % 2 != 0
    case ("even", .integer(let value)): return value % 2 == 0
    case ("divisibleby", _):
      guard let number = value.number, let divisor = arguments.first?.number, divisor != 0 else {
        throw failure("\"divisibleby\" of no whole numbers")
      }
      return number.remainderReportingOverflow(dividingBy: divisor).partialValue == 0
    case ("lt", _), ("le", _), ("gt", _), ("ge", _), ("lessthan", _), ("greaterthan", _):
      guard let other = arguments.first else { throw failure("\"\(name)\" needs a value") }
      let operations = ["lt": "<", "le": "<=", "gt": ">", "ge": ">=", "lessthan": "<"]
      return try ordered(operations[name] ?? ">", value, other)
    case ("ne", _):
      guard let other = arguments.first else { return true }
      return try !equal(other, value)
    case ("equalto", _), ("eq", _):
      guard let other = arguments.first else { return false }
      return try equal(other, value)
    case ("in", _):
      guard let container = arguments.first else { throw failure("\"in\" needs a container") }
      return try holds(try elements(of: container), value)
    default: throw unsupported("the test \"\(name)\" of \(value.kind)")
    }
  }
}
