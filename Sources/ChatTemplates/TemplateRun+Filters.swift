import StrictJSON

extension TemplateRun {
  func filter(
    _ name: String, _ value: TemplateValue, _ call: TemplateCall
  ) throws(ChatTemplateError) -> TemplateValue {
    switch name {
    case "trim", "upper", "lower", "title", "capitalize", "replace":
      let text = try string(try text(of: value))
      return try method(name == "trim" ? "strip" : name, text, call)
    case "items", "keys", "values": return try method(name, value, call)
    case "string": return .string(try text(of: value))
    case "safe": return value
    case "length", "count": return .integer(try elements(of: value).count)
    case "list": return try list(try elements(of: value))
    case "first": return try elements(of: value).first ?? .undefined
    case "last": return try elements(of: value).last ?? .undefined
    case "reverse": return try list(try elements(of: value).reversed())
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
      return try join(
        try elements(of: value), try text(of: call.argument(0, "d") ?? .string("")))
    case "map": return try map(value, call)
    case "selectattr", "rejectattr": return try select(value, call, name == "selectattr")
    case "tojson":
      guard call.positional.isEmpty, call.named.isEmpty else {
        throw unsupported("\"tojson\" with options")
      }
      var text = ""
      try appendJSON(of: value, to: &text)
      return .string(text)
    default: throw unsupported("the filter \"\(name)\"")
    }
  }

  private func map(
    _ value: TemplateValue, _ call: TemplateCall
  ) throws(ChatTemplateError) -> TemplateValue {
    let attribute = call.argument(1, "attribute")
    return try list(
      try elements(of: value).map { element throws(ChatTemplateError) in
        try spend(steps: 1)
        if let attribute, call.positional.isEmpty {
          return try member(attribute, of: element) ?? .undefined
        }
        guard call.positional.count == 1, case .string(let name) = call.positional[0] else {
          throw unsupported("the filter \"map\" with these arguments")
        }
        return try filter(name, element, TemplateCall())
      })
  }

  private func select(
    _ value: TemplateValue, _ call: TemplateCall, _ wanted: Bool
  ) throws(ChatTemplateError) -> TemplateValue {
    guard let attribute = call.positional.first else {
      throw failure("the filter needs an attribute")
    }
    var selected: [TemplateValue] = []
    for element in try elements(of: value) {
      try spend(steps: 1)
      let member = try member(attribute, of: element) ?? .undefined
      var holds = member.isTrue
      if call.positional.count > 1, case .string(let name) = call.positional[1] {
        holds = try test(name, member, Array(call.positional[2...]))
      }
      if holds == wanted { selected.append(element) }
    }
    return try list(selected)
  }

  private func join(
    _ elements: [TemplateValue], _ separator: String
  ) throws(ChatTemplateError) -> TemplateValue {
    var joined = ""
    for (index, element) in elements.enumerated() {
      let text = try text(of: element)
      try spend(bytes: separator.utf8.count + text.utf8.count)
      if index > 0 { joined += separator }
      joined += text
    }
    return .string(joined)
  }

  /// Appends JSON as Python's `json.dumps(ensure_ascii=False)` writes it.
  private func appendJSON(
    of value: TemplateValue, to text: inout String
  ) throws(ChatTemplateError) {
    func append(_ part: String) throws(ChatTemplateError) {
      try spend(steps: 1, bytes: part.utf8.count)
      text += part
    }
    switch value {
    case .none: try append("null")
    case .bool(let value): try append(value ? "true" : "false")
    case .integer(let value): try append(String(value))
    case .string(let text):
      try spend(bytes: text.utf8.count)
      try append(JSONValue.string(text).compact)
    case .list(let list):
      try append("[")
      for (index, element) in list.elements.enumerated() {
        if index > 0 { try append(", ") }
        try appendJSON(of: element, to: &text)
      }
      try append("]")
    case .dictionary(let dictionary):
      try append("{")
      for (index, member) in dictionary.members.enumerated() {
        if index > 0 { try append(", ") }
        try appendJSON(of: .string(try self.text(of: member.key)), to: &text)
        try append(": ")
        try appendJSON(of: member.value, to: &text)
      }
      try append("}")
    default: throw failure("\(value.kind) has no JSON form")
    }
  }
}
