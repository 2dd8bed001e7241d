/// What one run of a chat template has spent: the one place that bounds its time, its memory and
/// its recursion.
///
/// A value costs its bytes when it is built, copied, compared or printed, and they are not given
/// back: so what is alive at a time is bounded too.
struct TemplateBudget {
  private var steps = 0
  private var bytes = 0
  private var depth = 0

  /// What an element of a list costs besides its own value.
  static let elementBytes = 64

  /// The limit that is passed; nil as long as none is.
  private(set) var exceeded: String?

  /// Counts statements, loop turns, parts of expressions and comparisons.
  mutating func step(_ count: Int = 1) {
    steps += count
    if steps > ChatTemplateLimits.steps {
      exceeded = "takes more than \(ChatTemplateLimits.steps) steps"
    }
  }

  /// Counts bytes of values.
  mutating func build(_ count: Int) {
    let (sum, overflows) = bytes.addingReportingOverflow(count)
    bytes = overflows ? .max : sum
    if bytes > ChatTemplateLimits.valueBytes {
      exceeded = "builds values of more than \(ChatTemplateLimits.valueBytes >> 20) MiB"
    }
  }

  /// Counts a level of blocks, expressions and calls; `ascend` takes it back.
  mutating func descend() {
    depth += 1
    if depth > ChatTemplateLimits.recursion { exceeded = "calls itself too deep" }
  }

  mutating func ascend() { depth -= 1 }
}

extension TemplateRun {
  /// Spends a part of the budget before the work is done; throws when that is too much.
  func spend(steps: Int = 0, bytes: Int = 0) throws(ChatTemplateError) {
    budget.step(steps)
    budget.build(bytes)
    try checkBudget()
  }

  /// Enters a level; the caller leaves it with `budget.ascend()`.
  func descend() throws(ChatTemplateError) {
    budget.descend()
    try checkBudget()
  }

  private func checkBudget() throws(ChatTemplateError) {
    if let exceeded = budget.exceeded { throw failure("the template \(exceeded)") }
  }

  /// A text, paid for.
  func string(_ text: String) throws(ChatTemplateError) -> TemplateValue {
    try spend(bytes: text.utf8.count)
    return .string(text)
  }

  /// A list, paid for; its values must not be nested too deep.
  func list(_ elements: [TemplateValue]) throws(ChatTemplateError) -> TemplateValue {
    try spend(bytes: elements.count * TemplateBudget.elementBytes)
    return .list(TemplateList(elements, depth: try depth(above: elements)))
  }

  /// A dictionary, likewise.
  func dictionary(
    _ members: [(key: TemplateValue, value: TemplateValue)]
  ) throws(ChatTemplateError) -> TemplateValue {
    try spend(bytes: 2 * members.count * TemplateBudget.elementBytes)
    let depth = max(
      try depth(above: members.lazy.map(\.key)), try depth(above: members.lazy.map(\.value)))
    return .dictionary(TemplateDictionary(members, depth: depth))
  }

  /// How deep a value is that holds `values`.
  func depth(above values: some Sequence<TemplateValue>) throws(ChatTemplateError) -> Int {
    var depth = 1
    for value in values {
      if case .namespace = value { throw unsupported("a namespace inside another value") }
      depth = max(depth, value.depth + 1)
    }
    guard depth <= ChatTemplateLimits.nesting else {
      throw failure("a value is nested deeper than \(ChatTemplateLimits.nesting) levels")
    }
    return depth
  }

  /// Whether two values are equal, as Python sees it.
  func equal(
    _ left: TemplateValue, _ right: TemplateValue
  ) throws(ChatTemplateError) -> Bool {
    try spend(steps: 1)
    switch (left, right) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let left), .string(let right)):
      guard left.utf8.count == right.utf8.count else { return false }
      try spend(bytes: left.utf8.count)
      return left.utf8.elementsEqual(right.utf8)
    case (.list(let left), .list(let right)):
      guard left.elements.count == right.elements.count else { return false }
      for (left, right) in zip(left.elements, right.elements)
      where try !equal(left, right) { return false }
      return true
    case (.dictionary(let left), .dictionary(let other)):
      guard left.members.count == other.members.count else { return false }
      for member in left.members {
        guard let value = try self.member(member.key, of: right),
          try equal(member.value, value)
        else { return false }
      }
      return true
    default:
      if let left = left.number, let right = right.number { return left == right }
      return left.double != nil && left.double == right.double
    }
  }

  /// The member of a dictionary with this key; nil if there is none, or no dictionary.
  func member(
    _ key: TemplateValue, of value: TemplateValue
  ) throws(ChatTemplateError) -> TemplateValue? {
    guard case .dictionary(let dictionary) = value else { return nil }
    for member in dictionary.members.reversed() where try equal(member.key, key) {
      return member.value
    }
    return nil
  }

  /// Whether `value` is among `elements`.
  func holds(
    _ elements: [TemplateValue], _ value: TemplateValue
  ) throws(ChatTemplateError) -> Bool {
    for element in elements where try equal(element, value) { return true }
    return false
  }
}
