/// One run of a chat template: its variables and what it has printed.
final class TemplateRun {
  /// What `strftime_now` reports, formatted by its argument.
  let clock: (String) -> String?
  /// Whether what is undefined is an error where it is used, and not nothing.
  let isStrict: Bool
  private var scopes: [[String: TemplateValue]]
  private var output = ""
  var budget = TemplateBudget()
  /// The line of the statement that is running, for errors.
  private(set) var line = 1

  private enum Flow {
    case onward, leaveLoop, nextTurn
  }

  init(
    variables: [String: TemplateValue], isStrict: Bool = false,
    clock: @escaping (String) -> String?
  ) {
    self.clock = clock
    self.isStrict = isStrict
    scopes = [variables]
  }

  /// Runs a template and returns what it prints.
  func print(
    _ template: [TemplateStatement], for messages: [ChatMessage]
  ) throws(ChatTemplateError) -> String {
    scopes[0]["messages"] = try list(
      try messages.map { message throws(ChatTemplateError) in
        try dictionary([
          (.string("role"), .string(message.role)), (.string("content"), .string(message.content)),
        ])
      })
    return try print(template)
  }

  /// The same without messages.
  func print(_ template: [TemplateStatement]) throws(ChatTemplateError) -> String {
    _ = try run(template)
    return output
  }

  /// Makes `value` a variable of the whole template.
  func define(_ name: String, _ value: TemplateValue) { scopes[0][name] = value }

  func variable(_ name: String) -> TemplateValue? {
    for scope in scopes.reversed() {
      if let value = scope[name] { return value }
    }
    return nil
  }

  func failure(_ reason: String) -> ChatTemplateError {
    .failed(reason: reason, line: line)
  }

  func unsupported(_ construct: String) -> ChatTemplateError {
    .unsupported(construct, line: line)
  }

  /// Calls a macro with values for its parameters.
  func call(
    _ macro: TemplateMacro, _ positional: [TemplateValue],
    _ named: [(name: String, value: TemplateValue)]
  ) throws(ChatTemplateError) -> TemplateValue {
    guard positional.count <= macro.parameters.count else {
      throw failure("\"\(macro.name)\" has too many arguments")
    }
    var scope: [String: TemplateValue] = [:]
    for (index, parameter) in macro.parameters.enumerated() {
      if index < positional.count {
        scope[parameter.name] = positional[index]
      } else if let given = named.last(where: { $0.name == parameter.name }) {
        scope[parameter.name] = given.value
      } else if let fallback = parameter.fallback {
        scope[parameter.name] = try value(of: fallback)
      } else {
        scope[parameter.name] = .undefined
      }
    }
    let outer = scopes
    scopes = [outer[0], scope]
    let text = try capture(macro.body)
    scopes = [scopes[0]] + outer.dropFirst()
    return .string(text)
  }

  private func run(_ statements: [TemplateStatement]) throws(ChatTemplateError) -> Flow {
    try descend()
    defer { budget.ascend() }
    for statement in statements {
      line = statement.line
      try spend(steps: 1)
      let flow = try run(statement)
      if flow != .onward { return flow }
    }
    return .onward
  }

  private func run(_ statement: TemplateStatement) throws(ChatTemplateError) -> Flow {
    switch statement.kind {
    case .text(let text): try write(text)
    case .output(let expression): try write(try text(of: try value(of: expression)))
    case .conditional(let branches):
      for branch in branches where try value(of: branch.condition).isTrue {
        return try run(branch.body)
      }
    case .loop(let loop): return try run(loop)
    case .assign(let names, let expression):
      try assign(names, try value(of: expression))
    case .assignMember(let object, let attribute, let expression):
      guard case .namespace(let namespace) = variable(object) else {
        throw failure("only members of a namespace can be set")
      }
      try set(attribute, of: namespace, to: try value(of: expression))
    case .capture(let name, let body): try assign([name], .string(try capture(body)))
    case .macro(let macro): try assign([macro.name], .macro(macro))
    case .leaveLoop: return .leaveLoop
    case .nextTurn: return .nextTurn
    }
    return .onward
  }

  private func run(_ loop: TemplateLoop) throws(ChatTemplateError) -> Flow {
    var items: [TemplateValue] = []
    for item in try elements(of: try value(of: loop.items)) {
      try spend(steps: 1)
      if let condition = loop.condition {
        scopes.append([:])
        defer { scopes.removeLast() }
        try assign(loop.names, item)
        guard try value(of: condition).isTrue else { continue }
      }
      items.append(item)
    }
    if items.isEmpty { return try run(loop.otherwise) }
    for (index, item) in items.enumerated() {
      scopes.append(["loop": try state(of: items, at: index)])
      defer { scopes.removeLast() }
      try assign(loop.names, item)
      if try run(loop.body) == .leaveLoop { break }
    }
    return .onward
  }

  /// The variable `loop`.
  private func state(
    of items: [TemplateValue], at index: Int
  ) throws(ChatTemplateError) -> TemplateValue {
    let neighbours = [index - 1, index + 1].map {
      items.indices.contains($0) && items[$0].depth < ChatTemplateLimits.nesting
        ? items[$0] : .undefined
    }
    return try dictionary([
      (.string("index"), .integer(index + 1)), (.string("index0"), .integer(index)),
      (.string("revindex"), .integer(items.count - index)),
      (.string("revindex0"), .integer(items.count - index - 1)),
      (.string("first"), .bool(index == 0)), (.string("last"), .bool(index == items.count - 1)),
      (.string("length"), .integer(items.count)),
      (.string("previtem"), neighbours[0]), (.string("nextitem"), neighbours[1]),
    ])
  }

  /// Sets a member of a namespace, which bounds its value as a list bounds its elements.
  func set(
    _ name: String, of namespace: TemplateNamespace, to value: TemplateValue
  ) throws(ChatTemplateError) {
    _ = try depth(above: CollectionOfOne(value))
    namespace.members[name] = value
  }

  private func assign(
    _ names: [String], _ value: TemplateValue
  ) throws(ChatTemplateError) {
    let last = scopes.count - 1
    if names.count == 1 {
      scopes[last][names[0]] = value
      return
    }
    let parts = try elements(of: value)
    guard parts.count == names.count else {
      throw failure("\(parts.count) values for \(names.count) names")
    }
    for (name, part) in zip(names, parts) { scopes[last][name] = part }
  }

  private func capture(_ body: [TemplateStatement]) throws(ChatTemplateError) -> String {
    let before = output
    output = ""
    _ = try run(body)
    defer { output = before }
    return output
  }

  private func write(_ text: String) throws(ChatTemplateError) {
    try spend(bytes: text.utf8.count)
    output += text
  }
}
