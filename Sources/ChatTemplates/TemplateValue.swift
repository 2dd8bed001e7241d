/// A value while a chat template runs.
indirect enum TemplateValue {
  case undefined
  case none
  case bool(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
  case list(TemplateList)
  case dictionary(TemplateDictionary)
  case namespace(TemplateNamespace)
  case macro(TemplateMacro)
  case function(String)

  init(_ literal: TemplateLiteral) {
    switch literal {
    case .none: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .double(let value): self = .double(value)
    case .string(let text): self = .string(text)
    }
  }

  /// Python's truth of a value.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .double(let value): value != 0
    case .string(let text): !text.isEmpty
    case .list(let list): !list.elements.isEmpty
    case .dictionary(let dictionary): !dictionary.members.isEmpty
    case .namespace, .macro, .function: true
    }
  }

  /// The number a value is in arithmetic with fractions; true is 1.
  var double: Double? {
    if case .double(let value) = self { return value }
    return number.map(Double.init)
  }

  /// The integer a value is in arithmetic; true is 1.
  var number: Int? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): value
    default: nil
    }
  }

  /// How many lists and dictionaries are inside one another.
  var depth: Int {
    switch self {
    case .list(let list): list.depth
    case .dictionary(let dictionary): dictionary.depth
    default: 0
    }
  }

  /// What kind of value this is, for errors.
  var kind: String {
    switch self {
    case .undefined: "an undefined value"
    case .none: "none"
    case .bool: "a truth value"
    case .integer: "an integer"
    case .double: "a number with a fraction"
    case .string: "a string"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .namespace: "a namespace"
    case .macro, .function: "a function"
    }
  }
}

/// The elements of a list. Only `TemplateRun.list` makes one, which bounds its depth: comparing,
/// printing and freeing values is recursive.
struct TemplateList {
  let elements: [TemplateValue]
  let depth: Int

  init(_ elements: [TemplateValue], depth: Int) {
    self.elements = elements
    self.depth = depth
  }
}

/// The members of a dictionary in order; only `TemplateRun.dictionary` makes one.
///
/// A class: the compiler takes a structure of pairs of values for a circular type, depending on the order in
/// which it sees the files.
final class TemplateDictionary {
  let members: [(key: TemplateValue, value: TemplateValue)]
  let depth: Int

  init(_ members: [(key: TemplateValue, value: TemplateValue)], depth: Int) {
    self.members = members
    self.depth = depth
  }
}

/// `namespace(…)`: variables that keep what a loop assigns to them. No value holds one, so that
/// values cannot hold themselves.
final class TemplateNamespace {
  var members: [String: TemplateValue] = [:]
}
