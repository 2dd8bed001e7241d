extension JSONValue {
  /// The document on one line, as Python's `json.dumps` with compact separators would print it
  /// (non-ASCII characters are kept).
  public var compact: String {
    var text = ""
    JSONPrinter(indent: nil).print(self, level: 0, into: &text)
    return text
  }

  /// The document indented by two spaces, as `json.dumps(indent=2, ensure_ascii=False)` prints
  /// it, ending in a newline.
  public var pretty: String {
    var text = ""
    JSONPrinter(indent: 2).print(self, level: 0, into: &text)
    return text + "\n"
  }

  /// The document on one line, or the beginning of a long one: for messages.
  public var shown: String {
    let text = compact, most = 60
    return text.count > most ? text.prefix(most) + "…" : text
  }
}

private struct JSONPrinter {
  var indent: Int?

  func print(_ value: JSONValue, level: Int, into text: inout String) {
    switch value {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .number(let number): text += number
    case .string(let string): quote(string, into: &text)
    case .array(let elements):
      list(elements, "[", "]", level: level, into: &text) { element, text in
        print(element, level: level + 1, into: &text)
      }
    case .object(let object):
      list(object.members, "{", "}", level: level, into: &text) { member, text in
        quote(member.key, into: &text)
        text += indent == nil ? ":" : ": "
        print(member.value, level: level + 1, into: &text)
      }
    }
  }

  private func list<Element>(
    _ elements: [Element], _ open: String, _ close: String, level: Int, into text: inout String,
    element: (Element, inout String) -> Void
  ) {
    text += open
    for (index, item) in elements.enumerated() {
      if index > 0 { text += "," }
      newline(level + 1, into: &text)
      element(item, &text)
    }
    if !elements.isEmpty { newline(level, into: &text) }
    text += close
  }

  private func newline(_ level: Int, into text: inout String) {
    guard let indent else { return }
    text += "\n" + String(repeating: " ", count: level * indent)
  }

  private func quote(_ string: String, into text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{8}": text += "\\b"
      case "\u{c}": text += "\\f"
      case "\0"..<" ":
        let hex = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
