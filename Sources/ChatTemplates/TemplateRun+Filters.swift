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
      var number = value.double
      if case .string(let text) = value {
        if let whole = Int(text) { return .integer(whole) }
        number = Double(text)
      }
      guard let whole = number.flatMap({ Int(exactly: $0.rounded(.towardZero)) }) else {
        throw unsupported("the filter \"int\" of \(value.kind)")
      }
      return .integer(whole)
    case "float":
      if let number = value.double { return .double(number) }
      guard case .string(let text) = value, let number = Double(text) else {
        throw unsupported("the filter \"float\" of \(value.kind)")
      }
      return .double(number)
    case "abs":
      if let number = value.number, number != .min { return .integer(abs(number)) }
      guard let number = value.double else { throw failure("\"abs\" of \(value.kind)") }
      return .double(number.magnitude)
    case "round": return try round(value, call)
    case "sort": return try sort(value, call)
    case "dictsort": return try sortMembers(value, call)
    case "unique": return try unique(value, call)
    case "indent": return try indent(value, call)
    case "join":
      return try join(
        try elements(of: value), try text(of: call.argument(0, "d") ?? .string("")))
    case "map": return try map(value, call)
    case "selectattr", "rejectattr": return try select(value, call, name == "selectattr")
    case "tojson":
      var text = ""
      try appendJSON(of: value, try jsonForm(call), to: &text)
      return .string(text)
    default: throw unsupported("the filter \"\(name)\"")
    }
  }

  private func map(
    _ value: TemplateValue, _ call: TemplateCall
  ) throws(ChatTemplateError) -> TemplateValue {
    let attribute = call.argument(1, "attribute")
    // A value that is false has no elements here, whatever it is.
    return try list(
      try (value.isTrue ? elements(of: value) : []).map { element throws(ChatTemplateError) in
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
    // As in "map".
    for element in try value.isTrue ? elements(of: value) : [] {
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
}
