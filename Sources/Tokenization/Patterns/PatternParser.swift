/// Reads the regular expressions of tokenizer files.
///
/// The subset: literals, classes with ranges and `\s \S \d \D \w \W \p{…} \P{…}`, groups `(…)`,
/// `(?:…)` and `(?i:…)`, alternation, greedy quantifiers, and lookahead of one scalar.
/// Everything else is an error that says where it stands.
struct PatternParser {
  private let source: [Unicode.Scalar]
  private var position = 0
  private var ignoresCase = false
  private var depth = 0

  static func parse(_ text: String) throws(PatternError) -> PatternNode {
    var parser = PatternParser(source: Array(text.unicodeScalars))
    let node = try parser.alternatives()
    if let scalar = parser.peek() { throw parser.error("unexpected \"\(scalar)\"") }
    return node
  }

  private init(source: [Unicode.Scalar]) { self.source = source }

  private mutating func alternatives() throws(PatternError) -> PatternNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= TokenizationLimits.nesting else { throw error("groups nested too deep") }
    var choices = [try sequence()]
    while take("|") { choices.append(try sequence()) }
    return choices.count == 1 ? choices[0] : .alternatives(choices)
  }

  private mutating func sequence() throws(PatternError) -> PatternNode {
    var parts: [PatternNode] = []
    while let scalar = peek(), scalar != "|", scalar != ")" {
      parts.append(try quantified(try atom()))
    }
    return parts.count == 1 ? parts[0] : .sequence(parts)
  }

  private mutating func quantified(_ node: PatternNode) throws(PatternError) -> PatternNode {
    guard let (least, most) = try quantifier() else { return node }
    if let next = peek(), next == "?" || next == "+" || next == "*" {
      throw error("lazy, possessive and stacked quantifiers are not supported")
    }
    if case .lookahead = node { throw error("a lookahead cannot be repeated") }
    return .repeated(node, least: least, most: most)
  }

  private mutating func quantifier() throws(PatternError) -> (Int, Int?)? {
    if take("?") { return (0, 1) }
    if take("*") { return (0, nil) }
    if take("+") { return (1, nil) }
    guard take("{") else { return nil }
    let first = number()
    var bounds: (Int, Int?)? = first.map { ($0, $0) }
    if take(",") {
      let last = number()
      bounds = first == nil && last == nil ? nil : (first ?? 0, last)
    }
    guard take("}"), let bounds, bounds.0 <= bounds.1 ?? bounds.0 else {
      throw error("malformed counted repetition")
    }
    return bounds
  }

  private mutating func number() -> Int? {
    var digits = ""
    while let scalar = peek(), ("0"..."9").contains(scalar), digits.count < 6 {
      digits.unicodeScalars.append(scalar)
      position += 1
    }
    return Int(digits)
  }

  private mutating func atom() throws(PatternError) -> PatternNode {
    let scalar = try next()
    switch scalar {
    case "(": return try group()
    case "[": return .one(try bracketed())
    case "\\": return .one(try classOf(try escape()))
    case ".": return .one(ScalarClass([.range(0xa...0xa)], negated: true))
    case "*", "+", "?", "{", "^", "$":
      position -= 1
      throw error("\"\(scalar)\" is not supported here")
    default: return .one(try classOf(.range(scalar.value...scalar.value)))
    }
  }

  private mutating func group() throws(PatternError) -> PatternNode {
    guard take("?") else { return try closed(try alternatives()) }
    switch try next() {
    case ":": return try closed(try alternatives())
    case "i":
      guard take(":") else { throw error("only \"(?i:…)\" changes case here") }
      let outer = ignoresCase
      ignoresCase = true
      defer { ignoresCase = outer }
      return try closed(try alternatives())
    case "=": return try lookahead(negated: false)
    case "!": return try lookahead(negated: true)
    default: throw error("this kind of group is not supported")
    }
  }

  private mutating func lookahead(negated: Bool) throws(PatternError) -> PatternNode {
    guard case .one(let scalars) = try closed(try alternatives()) else {
      throw error("a lookahead must be one character or class")
    }
    return .lookahead(scalars, negated: negated)
  }

  private mutating func closed(_ node: PatternNode) throws(PatternError) -> PatternNode {
    guard take(")") else { throw error("expected \")\"") }
    return node
  }

  /// The rest of a class whose `[` has been read.
  private mutating func bracketed() throws(PatternError) -> ScalarClass {
    let negated = take("^")
    var items: [ScalarClass.Item] = []
    while !(peek() == "]" && !items.isEmpty) {
      items.append(try rangeOrItem())
    }
    position += 1
    return try scalarClass(items, negated: negated)
  }

  private mutating func rangeOrItem() throws(PatternError) -> ScalarClass.Item {
    let item = try classItem()
    guard case .range(let low) = item, peek() == "-", peek(1) != "]" else { return item }
    position += 1
    guard case .range(let high) = try classItem(), low.lowerBound <= high.lowerBound else {
      throw error("malformed range in a class")
    }
    return .range(low.lowerBound...high.lowerBound)
  }

  private mutating func classItem() throws(PatternError) -> ScalarClass.Item {
    let scalar = try next()
    switch scalar {
    case "\\": return try escape()
    case "[": throw error("classes inside classes are not supported")
    case "&" where peek() == "&": throw error("class intersections are not supported")
    default: return .range(scalar.value...scalar.value)
    }
  }

  /// What follows a backslash.
  private mutating func escape() throws(PatternError) -> ScalarClass.Item {
    let scalar = try next()
    switch scalar {
    case "s": return .whitespace(negated: false)
    case "S": return .whitespace(negated: true)
    case "w": return .word(negated: false)
    case "W": return .word(negated: true)
    case "d": return .categories(CategorySet(named: "Nd"), negated: false)
    case "D": return .categories(CategorySet(named: "Nd"), negated: true)
    case "p", "P": return try category(negated: scalar == "P")
    case "n": return .range(0xa...0xa)
    case "r": return .range(0xd...0xd)
    case "t": return .range(0x9...0x9)
    case "f": return .range(0xc...0xc)
    case "v": return .range(0xb...0xb)
    case "x", "u": return try hexadecimal(digits: scalar == "x" ? 2 : 4)
    default:
      guard scalar.value < 0x80, !scalar.properties.isAlphabetic, !("0"..."9").contains(scalar)
      else { throw error("escape \"\\\(scalar)\" is not supported") }
      return .range(scalar.value...scalar.value)
    }
  }

  private mutating func category(negated: Bool) throws(PatternError) -> ScalarClass.Item {
    guard take("{") else { throw error("expected \"{\" after \\p") }
    let complemented = take("^") != negated
    var name = ""
    while let scalar = peek(), scalar != "}" {
      name.unicodeScalars.append(scalar)
      position += 1
    }
    let set = CategorySet(named: name)
    guard take("}"), !set.isEmpty else { throw error("unknown category \\p{\(name)}") }
    return .categories(set, negated: complemented)
  }

  private mutating func hexadecimal(digits: Int) throws(PatternError) -> ScalarClass.Item {
    let braced = digits == 2 && take("{")
    var text = ""
    while let scalar = peek(), Character(scalar).isHexDigit, braced || text.count < digits {
      text.unicodeScalars.append(scalar)
      position += 1
    }
    guard let value = UInt32(text, radix: 16), Unicode.Scalar(value) != nil,
      braced ? take("}") : text.count == digits, braced || digits == 4 || value < 0x80
    else { throw error("malformed or ambiguous hexadecimal escape") }
    return .range(value...value)
  }

  private func classOf(_ item: ScalarClass.Item) throws(PatternError) -> ScalarClass {
    try scalarClass([item], negated: false)
  }

  private func scalarClass(
    _ items: [ScalarClass.Item], negated: Bool
  ) throws(PatternError) -> ScalarClass {
    // Folding of non-ASCII letters can change their number ("ß"), which one class cannot express.
    let foldable = items.allSatisfy {
      if case .range(let range) = $0 { range.upperBound < 0x80 } else { false }
    }
    if ignoresCase, !foldable { throw error("(?i:…) is supported for ASCII only") }
    return ScalarClass(items, negated: negated, ignoresCase: ignoresCase)
  }

  private func peek(_ distance: Int = 0) -> Unicode.Scalar? {
    position + distance < source.count ? source[position + distance] : nil
  }

  private mutating func next() throws(PatternError) -> Unicode.Scalar {
    guard let scalar = peek() else { throw error("unexpected end") }
    position += 1
    return scalar
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard peek() == scalar else { return false }
    position += 1
    return true
  }

  private func error(_ reason: String) -> PatternError {
    PatternError(reason: reason, position: position)
  }
}

/// Why a pattern is refused, and how many scalars had been read.
struct PatternError: Error, Equatable {
  var reason: String
  var position: Int
}
