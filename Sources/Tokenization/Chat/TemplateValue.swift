/// A value while a chat template runs.
indirect enum TemplateValue {
  case undefined
  case none
  case bool(Bool)
  case integer(Int)
  case string(String)
  case list([TemplateValue])
  case dictionary([(key: TemplateValue, value: TemplateValue)])
  case namespace(TemplateNamespace)
  case macro(TemplateMacro)
  case function(String)

  init(_ literal: TemplateLiteral) {
    switch literal {
    case .none: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .string(let text): self = .string(text)
    }
  }

  /// Python's truth of a value.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .string(let text): !text.isEmpty
    case .list(let elements): !elements.isEmpty
    case .dictionary(let members): !members.isEmpty
    case .namespace, .macro, .function: true
    }
  }

  /// The number a value is in arithmetic; true is 1.
  var number: Int? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): value
    default: nil
    }
  }

  /// What kind of value this is, for errors.
  var kind: String {
    switch self {
    case .undefined: "an undefined value"
    case .none: "none"
    case .bool: "a truth value"
    case .integer: "an integer"
    case .string: "a string"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .namespace: "a namespace"
    case .macro, .function: "a function"
    }
  }

  func equals(_ other: TemplateValue) -> Bool {
    switch (self, other) {
    case (.undefined, .undefined), (.none, .none): true
    case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
    case (.list(let left), .list(let right)):
      left.count == right.count && zip(left, right).allSatisfy { $0.equals($1) }
    case (.dictionary(let left), .dictionary(let right)):
      left.count == right.count
        && left.allSatisfy { member in
          right.contains { $0.key.equals(member.key) && $0.value.equals(member.value) }
        }
    default: number != nil && number == other.number
    }
  }

  /// The member of a dictionary with this key.
  func member(_ key: TemplateValue) -> TemplateValue? {
    guard case .dictionary(let members) = self else { return nil }
    return members.last { $0.key.equals(key) }?.value
  }
}

/// `namespace(…)`: variables that keep what a loop assigns to them.
final class TemplateNamespace {
  var members: [String: TemplateValue] = [:]
}
