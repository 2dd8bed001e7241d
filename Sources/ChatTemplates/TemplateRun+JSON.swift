import StrictJSON

/// How `tojson` writes.
struct TemplateJSONForm {
  /// Spaces of a level; nil for one line.
  var indent: Int?
  var sortsKeys = false
  /// What stands between elements, and between a key and its value.
  var separators = (item: ", ", key: ": ")
}

extension TemplateRun {
  /// The options of `tojson`, in the order of `json.dumps` as chat templates have it.
  func jsonForm(_ call: TemplateCall) throws(ChatTemplateError) -> TemplateJSONForm {
    var form = TemplateJSONForm()
    let known = ["ensure_ascii", "indent", "separators", "sort_keys"]
    guard call.positional.count <= known.count,
      call.named.allSatisfy({ known.contains($0.name) })
    else { throw unsupported("\"tojson\" with these options") }
    if call.argument(0, known[0])?.isTrue ?? false {
      throw unsupported("\"tojson\" with ensure_ascii")
    }
    switch call.argument(1, known[1]) {
    case nil, .some(.none): break
    case .integer(let count)? where (0...Self.widestIndent).contains(count):
      form.indent = count
      form.separators.item = ","
    case let other?: throw unsupported("\"tojson\" with an indent of \(other.kind)")
    }
    switch call.argument(2, known[2]) {
    case nil, .some(.none): break
    case .list(let list)?:
      guard list.elements.count == 2, case .string(let item) = list.elements[0],
        case .string(let key) = list.elements[1]
      else { throw failure("malformed separators") }
      form.separators = (item, key)
    case let other?: throw failure("separators are \(other.kind)")
    }
    form.sortsKeys = call.argument(3, known[3])?.isTrue ?? false
    return form
  }

  /// The most spaces of a level of indentation.
  static let widestIndent = 64

  /// Appends JSON as Python's `json.dumps(ensure_ascii=False)` writes it.
  func appendJSON(
    of value: TemplateValue, _ form: TemplateJSONForm, level: Int = 0, to text: inout String
  ) throws(ChatTemplateError) {
    func append(_ part: String) throws(ChatTemplateError) {
      try spend(steps: 1, bytes: part.utf8.count)
      text += part
    }
    func breakLine(_ level: Int) throws(ChatTemplateError) {
      guard let indent = form.indent else { return }
      try append("\n" + String(repeating: " ", count: indent * level))
    }
    switch value {
    case .none: try append("null")
    case .bool(let value): try append(value ? "true" : "false")
    case .integer(let value): try append(String(value))
    case .double(let value):
      try append(
        value.isNaN
          ? "NaN"
          : value.isInfinite
            ? (value < 0 ? "-Infinity" : "Infinity")
            : value.pythonText)
    case .string(let text):
      try spend(bytes: text.utf8.count)
      try append(JSONValue.string(text).compact)
    case .list(let list):
      try append("[")
      for (index, element) in list.elements.enumerated() {
        if index > 0 { try append(form.separators.item) }
        try breakLine(level + 1)
        try appendJSON(of: element, form, level: level + 1, to: &text)
      }
      if !list.elements.isEmpty { try breakLine(level) }
      try append("]")
    case .dictionary(let dictionary):
      try append("{")
      var members = dictionary.members
      if form.sortsKeys {
        members = try sorted(members.map { ($0.key, $0) }, reversed: false)
      }
      for (index, member) in members.enumerated() {
        if index > 0 { try append(form.separators.item) }
        try breakLine(level + 1)
        try appendJSON(of: .string(try self.text(of: member.key)), form, to: &text)
        try append(form.separators.key)
        try appendJSON(of: member.value, form, level: level + 1, to: &text)
      }
      if !members.isEmpty { try breakLine(level) }
      try append("}")
    default: throw failure("\(value.kind) has no JSON form")
    }
  }
}
