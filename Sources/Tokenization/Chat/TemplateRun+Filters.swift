import StrictJSON

extension TemplateRun {
  func filter(
    _ name: String, _ value: TemplateValue, _ call: TemplateCall
  ) throws(TokenizationError) -> TemplateValue {
    switch name {
    case "trim", "upper", "lower", "title", "capitalize", "replace":
      let text = TemplateValue.string(try text(of: value))
      return try method(name == "trim" ? "strip" : name, text, call)
    case "items", "keys", "values": return try method(name, value, call)
    case "string": return .string(try text(of: value))
    case "safe": return value
    case "length", "count": return .integer(try elements(of: value).count)
    case "list": return .list(try elements(of: value))
    case "first": return try elements(of: value).first ?? .undefined
    case "last": return try elements(of: value).last ?? .undefined
    case "reverse": return .list(try elements(of: value).reversed())
    case "default", "d":
      let isMissing =
        if case .undefined = value { true } else {
          !value.isTrue && (call.argument(1, "boolean")?.isTrue ?? false)
        }
      return isMissing ? call.argument(0, "default_value") ?? .string("") : value
    case "int":
      if let number = value.number { return .integer(number) }
      guard case .string(let text) = value, let number = Int(text) else {
        throw unsupported("the filter \"int\" of \(value.kind)")
      }
      return .integer(number)
    case "join":
      return .string(
        try elements(of: value).map { element throws(TokenizationError) in
          try text(of: element)
        }.joined(separator: try text(of: call.argument(0, "d") ?? .string(""))))
    case "map": return try map(value, call)
    case "selectattr", "rejectattr": return try select(value, call, name == "selectattr")
    case "tojson":
      guard call.positional.isEmpty, call.named.isEmpty else {
        throw unsupported("\"tojson\" with options")
      }
      return .string(try json(of: value))
    default: throw unsupported("the filter \"\(name)\"")
    }
  }

  private func map(
    _ value: TemplateValue, _ call: TemplateCall
  ) throws(TokenizationError) -> TemplateValue {
    let attribute = call.argument(1, "attribute")
    return .list(
      try elements(of: value).map { element throws(TokenizationError) in
        if let attribute, call.positional.isEmpty { return element.member(attribute) ?? .undefined }
        guard call.positional.count == 1, case .string(let name) = call.positional[0] else {
          throw unsupported("the filter \"map\" with these arguments")
        }
        return try filter(name, element, TemplateCall())
      })
  }

  private func select(
    _ value: TemplateValue, _ call: TemplateCall, _ wanted: Bool
  ) throws(TokenizationError) -> TemplateValue {
    guard let attribute = call.positional.first else {
      throw failure("the filter needs an attribute")
    }
    var selected: [TemplateValue] = []
    for element in try elements(of: value) {
      let member = element.member(attribute) ?? .undefined
      var holds = member.isTrue
      if call.positional.count > 1, case .string(let name) = call.positional[1] {
        holds = try test(name, member, Array(call.positional[2...]))
      }
      if holds == wanted { selected.append(element) }
    }
    return .list(selected)
  }

  /// JSON as Python's `json.dumps(ensure_ascii=False)` writes it.
  private func json(of value: TemplateValue) throws(TokenizationError) -> String {
    switch value {
    case .none: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .integer(let value): return String(value)
    case .string(let text): return JSONValue.string(text).compact
    case .list(let elements):
      let parts = try elements.map { element throws(TokenizationError) in try json(of: element) }
      return "[\(parts.joined(separator: ", "))]"
    case .dictionary(let members):
      let parts = try members.map { member throws(TokenizationError) in
        "\(try json(of: .string(try text(of: member.key)))): \(try json(of: member.value))"
      }
      return "{\(parts.joined(separator: ", "))}"
    default: throw failure("\(value.kind) has no JSON form")
    }
  }
}
