public import StrictJSON

/// Turns the fields of a document into a text, by a template as task files of lm-eval hold them.
///
/// The same Jinja as chat templates, with the settings that lm-eval gives it: white space around tags
/// and the last line break stay, and what a document lacks is an error where it is used.
public struct DocumentTemplate: Sendable {
  private let statements: [TemplateStatement]

  /// Reads the template `source`.
  public init(_ source: String) throws(ChatTemplateError) {
    statements = try TemplateParser.parse(source, whiteSpace: .kept)
  }

  /// Whether there is anything but text in it.
  public var hasTags: Bool {
    statements.contains { if case .text = $0.kind { false } else { true } }
  }

  /// What the template prints for `document`.
  public func render(_ document: JSONObject) throws(ChatTemplateError) -> String {
    try run(document).print(statements)
  }

  /// The texts that the template's one expression, `{{ … }}`, is a list of; nil where it is no such
  /// expression, or no list of texts.
  public func texts(_ document: JSONObject) throws(ChatTemplateError) -> [String]? {
    guard statements.count == 1, case .output(let expression) = statements[0].kind,
      case .list(let list) = try run(document).value(of: expression)
    else { return nil }
    let texts = list.elements.compactMap { if case .string(let text) = $0 { text } else { nil } }
    return texts.count == list.elements.count ? texts : nil
  }

  private func run(_ document: JSONObject) throws(ChatTemplateError) -> TemplateRun {
    let run = TemplateRun(variables: [:], isStrict: true, clock: { _ in nil })
    for (name, value) in document.members { try run.define(name, value) }
    return run
  }
}

extension TemplateRun {
  /// Makes `value` the variable `name`.
  func define(_ name: String, _ value: JSONValue) throws(ChatTemplateError) {
    define(name, try self.value(of: value))
  }

  /// A JSON value as Python reads it. A number that is no integer is `undefined`: used, it is an error.
  private func value(of json: JSONValue) throws(ChatTemplateError) -> TemplateValue {
    switch json {
    case .null: return .none
    case .bool(let value): return .bool(value)
    case .number(let text): return Int(text).map { .integer($0) } ?? .undefined
    case .string(let text): return try string(text)
    case .array(let elements):
      return try list(
        try elements.map { element throws(ChatTemplateError) in try value(of: element) })
    case .object(let object):
      return try dictionary(
        try object.members.map { member throws(ChatTemplateError) in
          (.string(member.key), try value(of: member.value))
        })
    }
  }
}
