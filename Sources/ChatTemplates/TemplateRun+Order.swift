extension TemplateRun {
  /// Elements by their keys, equal ones in the order they have.
  func sorted<Element>(
    _ elements: [(key: TemplateValue, value: Element)], reversed: Bool
  ) throws(ChatTemplateError) -> [Element] {
    // By halves: a comparison can fail, and each is counted.
    guard elements.count > 1 else { return elements.map(\.value) }
    var runs = elements.map { [$0] }
    while runs.count > 1 {
      var merged: [[(key: TemplateValue, value: Element)]] = []
      for index in stride(from: 0, to: runs.count, by: 2) {
        guard index + 1 < runs.count else {
          merged.append(runs[index])
          continue
        }
        merged.append(try merge(runs[index], runs[index + 1], reversed: reversed))
      }
      runs = merged
    }
    return runs[0].map(\.value)
  }

  private func merge<Element>(
    _ left: [(key: TemplateValue, value: Element)],
    _ right: [(key: TemplateValue, value: Element)], reversed: Bool
  ) throws(ChatTemplateError) -> [(key: TemplateValue, value: Element)] {
    var merged: [(key: TemplateValue, value: Element)] = []
    merged.reserveCapacity(left.count + right.count)
    var (first, second) = (0, 0)
    while first < left.count, second < right.count {
      try spend(steps: 1)
      let isLater = try ordered(reversed ? ">" : "<", right[second].key, left[first].key)
      if isLater {
        merged.append(right[second])
        second += 1
      } else {
        merged.append(left[first])
        first += 1
      }
    }
    return merged + left[first...] + right[second...]
  }

  /// `sort(reverse, case_sensitive, attribute)`.
  func sort(
    _ value: TemplateValue, _ call: TemplateCall
  ) throws(ChatTemplateError) -> TemplateValue {
    let keys = try keys(
      of: value, caseSensitive: call.argument(1, "case_sensitive"),
      attribute: call.argument(2, "attribute"))
    return try list(
      try sorted(keys, reversed: call.argument(0, "reverse")?.isTrue ?? false))
  }

  /// `dictsort(case_sensitive, by, reverse)`: the pairs of a key and its value.
  func sortMembers(
    _ value: TemplateValue, _ call: TemplateCall
  ) throws(ChatTemplateError) -> TemplateValue {
    guard case .dictionary(let dictionary) = value else {
      throw failure("\"dictsort\" of \(value.kind)")
    }
    guard case .string(let by) = call.argument(1, "by") ?? .string("key"),
      by == "key" || by == "value"
    else { throw failure("malformed \"dictsort\"") }
    let pairs = try dictionary.members.map { member throws(ChatTemplateError) in
      (
        key: try folded(
          by == "key" ? member.key : member.value, call.argument(0, "case_sensitive")),
        value: try list([member.key, member.value])
      )
    }
    return try list(
      try sorted(pairs, reversed: call.argument(2, "reverse")?.isTrue ?? false))
  }

  /// `unique(case_sensitive, attribute)`: the first of those that are equal.
  func unique(
    _ value: TemplateValue, _ call: TemplateCall
  ) throws(ChatTemplateError) -> TemplateValue {
    var seen: [TemplateValue] = [], first: [TemplateValue] = []
    for (key, element) in try keys(
      of: value, caseSensitive: call.argument(0, "case_sensitive"),
      attribute: call.argument(1, "attribute"))
    {
      if try holds(seen, key) { continue }
      seen.append(key)
      first.append(element)
    }
    return try list(first)
  }

  /// Each element with what it is compared by: itself or a member, texts without case unless it
  /// counts.
  private func keys(
    of value: TemplateValue, caseSensitive: TemplateValue?, attribute: TemplateValue?
  ) throws(ChatTemplateError) -> [(key: TemplateValue, value: TemplateValue)] {
    try elements(of: value).map { element throws(ChatTemplateError) in
      try spend(steps: 1)
      var key = element
      if let attribute, attribute.isTrue {
        if case .string(let name) = attribute, name.contains(".") || name.contains(",") {
          throw unsupported("the attribute \"\(name)\"")
        }
        key = try member(attribute, of: element) ?? .undefined
      }
      return (try folded(key, caseSensitive), element)
    }
  }

  /// A text without case, unless that counts; other values as they are.
  private func folded(
    _ value: TemplateValue, _ caseSensitive: TemplateValue?
  ) throws(ChatTemplateError) -> TemplateValue {
    guard case .string(let text) = value, !(caseSensitive?.isTrue ?? false) else { return value }
    try spend(bytes: text.utf8.count)
    return .string(text.lowercased())
  }

  /// `round(precision, method)` to whole numbers.
  func round(
    _ value: TemplateValue, _ call: TemplateCall
  ) throws(ChatTemplateError) -> TemplateValue {
    guard let number = value.double else { throw failure("\"round\" of \(value.kind)") }
    guard call.argument(0, "precision")?.number ?? 0 == 0 else {
      throw unsupported("\"round\" to digits after the point")
    }
    guard case .string(let method) = call.argument(1, "method") ?? .string("common") else {
      throw failure("malformed \"round\"")
    }
    switch method {
    case "common": return .double(number.rounded(.toNearestOrEven))
    case "ceil": return .double(number.rounded(.up))
    case "floor": return .double(number.rounded(.down))
    default: throw failure("malformed \"round\"")
    }
  }

  /// `indent(width, first, blank)`: lines after the first begin with so many spaces, empty ones only if
  /// `blank`.
  func indent(
    _ value: TemplateValue, _ call: TemplateCall
  ) throws(ChatTemplateError) -> TemplateValue {
    let space: String
    switch call.argument(0, "width") ?? .integer(4) {
    case .integer(let count) where count <= Self.widestIndent:
      space = String(repeating: " ", count: max(count, 0))
    case .string(let text): space = text
    default: throw unsupported("\"indent\" by this width")
    }
    let indentsFirst = call.argument(1, "first")?.isTrue ?? false
    let indentsBlank = call.argument(2, "blank")?.isTrue ?? false
    var indented = ""
    for (index, line) in try lines(of: try text(of: value)).enumerated() {
      if index > 0 { indented += "\n" }
      if index == 0 ? indentsFirst : indentsBlank || !line.isEmpty { indented += space }
      indented.unicodeScalars.append(contentsOf: line)
      try spend(steps: 1, bytes: space.utf8.count + 4 * line.count)
    }
    return .string(indented)
  }

  /// Lines as Python's `splitlines` has them, with an empty one behind a break at the end.
  private func lines(of text: String) throws(ChatTemplateError) -> [ArraySlice<Unicode.Scalar>] {
    let scalars = try scalars(text)
    var lines: [ArraySlice<Unicode.Scalar>] = []
    var start = 0, index = 0
    while index < scalars.count {
      if Self.breaks.contains(scalars[index]) {
        lines.append(scalars[start..<index])
        if scalars[index] == "\r", index + 1 < scalars.count, scalars[index + 1] == "\n" {
          index += 1
        }
        start = index + 1
      }
      index += 1
    }
    return lines + [scalars[start...]]
  }

  private static let breaks: Set<Unicode.Scalar> = [
    "\n", "\r", "\u{b}", "\u{c}", "\u{1c}", "\u{1d}", "\u{1e}", "\u{85}", "\u{2028}", "\u{2029}",
  ]
}
