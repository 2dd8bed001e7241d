extension TemplateRun {
  /// Calls a method of a string or a dictionary.
  func method(
    _ name: String, _ object: TemplateValue, _ call: TemplateCall
  ) throws(TokenizationError) -> TemplateValue {
    switch object {
    case .string(let text): return try method(name, text.scalars, call)
    case .dictionary(let members):
      switch name {
      case "items": return .list(members.map { .list([$0.key, $0.value]) })
      case "keys": return .list(members.map(\.key))
      case "values": return .list(members.map(\.value))
      case "get":
        let key = call.argument(0, "key") ?? .undefined
        return object.member(key) ?? call.argument(1, "default") ?? .none
      default:
        if case .macro(let macro) = object.member(.string(name)) {
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
  ) throws(TokenizationError) -> TemplateValue {
    switch name {
    case "strip", "lstrip", "rstrip":
      let set = try call.argument(0, "chars").map(scalars(of:))
      return .string(
        String(
          Self.strip(text, left: name != "rstrip", right: name != "lstrip") { scalar in
            set?.contains(scalar) ?? scalar.isTemplateSpace
          }))
    case "split": return .list(try split(text, call).map { .string(String($0)) })
    case "startswith": return .bool(text.starts(with: try scalars(of: argument(call, name))))
    case "endswith":
      return .bool(text.reversed().starts(with: try scalars(of: argument(call, name)).reversed()))
    case "replace":
      guard call.positional.count == 2 else {
        throw unsupported("\"replace\" with these arguments")
      }
      let parts = Self.parts(
        of: text, separator: try scalars(of: call.positional[0]), most: nil)
      guard let parts else { throw unsupported("\"replace\" of an empty text") }
      return .string(String(parts.joined(separator: try scalars(of: call.positional[1]))))
    case "upper": return .string(String(text).uppercased())
    case "lower": return .string(String(text).lowercased())
    case "title":
      var isInside = false
      return .string(
        text.map { scalar in
          defer { isInside = scalar.properties.isCased }
          return isInside
            ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
        }.joined())
    case "capitalize":
      let lowered = text.map { String(Character($0)) }
      let first = lowered.first.map { $0.uppercased() } ?? ""
      return .string(first + lowered.dropFirst().joined().lowercased())
    default: throw unsupported("method \"\(name)\" of a string")
    }
  }

  private func argument(
    _ call: TemplateCall, _ name: String
  ) throws(TokenizationError) -> TemplateValue {
    guard call.positional.count == 1 else {
      throw unsupported("\"\(name)\" with these arguments")
    }
    return call.positional[0]
  }

  private func scalars(of value: TemplateValue) throws(TokenizationError) -> [Unicode.Scalar] {
    guard case .string(let text) = value else {
      throw failure("\(value.kind) where a string is expected")
    }
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
  ) throws(TokenizationError) -> [[Unicode.Scalar]] {
    guard let separator = call.argument(0, "sep") else {
      return text.split(whereSeparator: \.isTemplateSpace).map(Array.init)
    }
    let most = call.argument(1, "maxsplit")?.number
    guard
      let parts = Self.parts(of: text, separator: try scalars(of: separator), most: most)
    else { throw failure("the separator is empty") }
    return parts
  }

  /// The parts between separators; nil if the separator is empty.
  private static func parts(
    of text: [Unicode.Scalar], separator: [Unicode.Scalar], most: Int?
  ) -> [[Unicode.Scalar]]? {
    if separator.isEmpty { return nil }
    var parts: [[Unicode.Scalar]] = []
    var start = 0
    var position = 0
    while position + separator.count <= text.count {
      if let most, most >= 0, parts.count >= most { break }
      if text[position...].starts(with: separator) {
        parts.append(Array(text[start..<position]))
        position += separator.count
        start = position
      } else {
        position += 1
      }
    }
    return parts + [Array(text[start...])]
  }
}
