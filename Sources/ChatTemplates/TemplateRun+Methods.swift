import Foundations

extension TemplateRun {
  /// Calls a method of a string or a dictionary.
  func method(
    _ name: String, _ object: TemplateValue, _ call: TemplateCall
  ) throws(ChatTemplateError) -> TemplateValue {
    switch object {
    case .string(let text): return try method(name, try scalars(text), call)
    case .dictionary(let dictionary):
      let members = dictionary.members
      switch name {
      case "items":
        return try list(
          try members.map { member throws(ChatTemplateError) in
            try list([member.key, member.value])
          })
      case "keys": return try list(members.map(\.key))
      case "values": return try list(members.map(\.value))
      case "get":
        let key = call.argument(0, "key") ?? .undefined
        return try member(key, of: object) ?? call.argument(1, "default") ?? .none
      default:
        if case .macro(let macro) = try member(.string(name), of: object) {
          return try self.call(macro, call.positional, call.named)
        }
      }
    case .undefined: throw failure("method \"\(name)\" of an undefined value")
    default: break
    }
    throw unsupported("method \"\(name)\" of \(object.kind)")
  }

  private func method(
    _ name: String, _ text: [Unicode.Scalar], _ call: TemplateCall
  ) throws(ChatTemplateError) -> TemplateValue {
    switch name {
    case "strip", "lstrip", "rstrip":
      let set = try call.argument(0, "chars").map { value throws(ChatTemplateError) in
        Set(try scalars(of: value))
      }
      return try string(
        String(
          Self.strip(text, left: name != "rstrip", right: name != "lstrip") { scalar in
            set?.contains(scalar) ?? scalar.isPythonSpace
          }))
    case "split": return try list(try split(text, call).map { .string(String($0)) })
    case "startswith": return .bool(text.starts(with: try scalars(of: argument(call, name))))
    case "endswith":
      return .bool(text.reversed().starts(with: try scalars(of: argument(call, name)).reversed()))
    case "replace":
      guard call.positional.count == 2 else {
        throw unsupported("\"replace\" with these arguments")
      }
      return try replace(
        try scalars(of: call.positional[0]), in: text, with: try scalars(of: call.positional[1]))
    case "format": return try format(text, call)
    case "upper": return try string(String(text).uppercased())
    case "lower": return try string(String(text).lowercased())
    case "title":
      var isInside = false
      return try string(
        text.map { scalar in
          defer { isInside = scalar.properties.isCased }
          return isInside
            ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
        }.joined())
    case "capitalize":
      let lowered = text.map { String(Character($0)) }
      let first = lowered.first.map { $0.uppercased() } ?? ""
      return try string(first + lowered.dropFirst().joined().lowercased())
    default: throw unsupported("method \"\(name)\" of a string")
    }
  }

  private func argument(
    _ call: TemplateCall, _ name: String
  ) throws(ChatTemplateError) -> TemplateValue {
    guard call.positional.count == 1 else {
      throw unsupported("\"\(name)\" with these arguments")
    }
    return call.positional[0]
  }

  private func scalars(of value: TemplateValue) throws(ChatTemplateError) -> [Unicode.Scalar] {
    guard case .string(let text) = value else {
      throw failure("\(value.kind) where a string is expected")
    }
    return try scalars(text)
  }

  /// The scalars of a text, paid for.
  func scalars(_ text: String) throws(ChatTemplateError) -> [Unicode.Scalar] {
    try spend(bytes: 4 * text.utf8.count)
    return text.scalars
  }

  private static func strip(
    _ text: [Unicode.Scalar], left: Bool, right: Bool, _ strips: (Unicode.Scalar) -> Bool
  ) -> ArraySlice<Unicode.Scalar> {
    var text = text[...]
    while left, let first = text.first, strips(first) { text.removeFirst() }
    while right, let last = text.last, strips(last) { text.removeLast() }
    return text
  }

  private func split(
    _ text: [Unicode.Scalar], _ call: TemplateCall
  ) throws(ChatTemplateError) -> [[Unicode.Scalar]] {
    guard let separator = call.argument(0, "sep") else {
      // At most so many parts.
      try spend(bytes: TemplateBudget.elementBytes * (text.count / 2))
      return text.split(whereSeparator: \.isPythonSpace).map(Array.init)
    }
    let wanted = try scalars(of: separator)
    if wanted.isEmpty { throw failure("the separator is empty") }
    let most = call.argument(1, "maxsplit")?.number ?? -1
    let search = TextSearch(wanted)
    var parts: [[Unicode.Scalar]] = []
    var start = 0
    while most < 0 || parts.count < most, let position = search.next(in: text, from: start) {
      try spend(bytes: TemplateBudget.elementBytes)
      parts.append(Array(text[start..<position]))
      start = position + wanted.count
    }
    return parts + [Array(text[start...])]
  }

  private func replace(
    _ wanted: [Unicode.Scalar], in text: [Unicode.Scalar], with replacement: [Unicode.Scalar]
  ) throws(ChatTemplateError) -> TemplateValue {
    if wanted.isEmpty { throw unsupported("\"replace\" of an empty text") }
    let search = TextSearch(wanted)
    var replaced: [Unicode.Scalar] = []
    var start = 0
    while let position = search.next(in: text, from: start) {
      try spend(bytes: 4 * (position - start + replacement.count))
      replaced += text[start..<position]
      replaced += replacement
      start = position + wanted.count
    }
    replaced += text[start...]
    return try string(String(replaced))
  }

  /// `format` with fields that are empty, a position or a name: `{}`, `{0}`, `{name}`.
  private func format(
    _ text: [Unicode.Scalar], _ call: TemplateCall
  ) throws(ChatTemplateError) -> TemplateValue {
    var formatted: [Unicode.Scalar] = []
    var index = 0, next = 0, isNumbered = false
    while index < text.count {
      let scalar = text[index]
      index += 1
      let isBrace = scalar == "{" || scalar == "}"
      if !isBrace || index < text.count && text[index] == scalar {
        formatted.append(scalar)
        index += isBrace ? 1 : 0
        continue
      }
      guard scalar == "{", let end = text[index...].firstIndex(of: "}") else {
        throw failure("malformed format")
      }
      let field = String(text[index..<end])
      index = end + 1
      guard field.unicodeScalars.allSatisfy({ !"!:.[{".unicodeScalars.contains($0) }) else {
        throw unsupported("the format field \"{\(field)}\"")
      }
      var position = field.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(field) : nil
      isNumbered = isNumbered || position != nil
      if field.isEmpty {
        position = next
        next += 1
      }
      if isNumbered, next > 0 { throw failure("format fields with and without a position") }
      let value =
        if let position {
          call.positional.indices.contains(position) ? call.positional[position] : nil
        } else {
          call.named.last { $0.name == field }?.value
        }
      guard let value else { throw failure("no argument for the format field \"{\(field)}\"") }
      formatted += try scalars(try self.text(of: value))
    }
    return try string(String(formatted))
  }
}
