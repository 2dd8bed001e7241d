/// A statement of a chat template and the line it starts on.
struct TemplateStatement: Sendable {
  indirect enum Kind: Sendable {
    case text(String)
    case output(TemplateExpression)
    case conditional([(condition: TemplateExpression, body: [TemplateStatement])])
    case loop(TemplateLoop)
    case assign(names: [String], TemplateExpression)
    /// `{% set object.attribute = … %}`
    case assignMember(object: String, attribute: String, TemplateExpression)
    /// `{% set name %}…{% endset %}`
    case capture(name: String, [TemplateStatement])
    case macro(TemplateMacro)
    case leaveLoop
    case nextTurn
  }

  var kind: Kind
  var line: Int
}

/// `{% for names in items if condition %}…{% else %}…{% endfor %}`
struct TemplateLoop: Sendable {
  var names: [String]
  var items: TemplateExpression
  var condition: TemplateExpression?
  var body: [TemplateStatement]
  var otherwise: [TemplateStatement]
}

/// `{% macro name(parameters) %}…{% endmacro %}`
struct TemplateMacro: Sendable {
  var name: String
  var parameters: [(name: String, fallback: TemplateExpression?)]
  var body: [TemplateStatement]
}

/// An expression of a chat template.
indirect enum TemplateExpression: Sendable {
  case literal(TemplateLiteral)
  case name(String)
  case member(TemplateExpression, String)
  case item(TemplateExpression, TemplateExpression)
  case slice(
    TemplateExpression, from: TemplateExpression?, to: TemplateExpression?,
    by: TemplateExpression?)
  case call(TemplateExpression, TemplateArguments)
  case filter(TemplateExpression, name: String, TemplateArguments)
  case test(TemplateExpression, name: String, TemplateArguments)
  case not(TemplateExpression)
  case negated(TemplateExpression)
  case binary(String, TemplateExpression, TemplateExpression)
  /// `a < b <= c`: each compares neighbours, and all must hold.
  case comparisons(TemplateExpression, [(operation: String, operand: TemplateExpression)])
  case choice(condition: TemplateExpression, TemplateExpression, otherwise: TemplateExpression?)
  case list([TemplateExpression])
  case dictionary([(key: TemplateExpression, value: TemplateExpression)])
}

enum TemplateLiteral: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
}

/// The arguments of a call, filter or test.
struct TemplateArguments: Sendable {
  var positional: [TemplateExpression] = []
  var named: [(name: String, value: TemplateExpression)] = []
}
