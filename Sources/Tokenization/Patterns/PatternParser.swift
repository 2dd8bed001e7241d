/// Reads the regular expressions of tokenizer files, as Oniguruma reads them.
///
/// The subset: literals, classes, groups `(…)`, `(?:…)` and `(?i:…)`, alternation, quantifiers,
/// possessive ones of one character or class, lookahead and lookbehind of one scalar, and the
/// anchors `^ $ \A \z \Z \b \B`. Everything else is an error that says where it stands.
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
    try descend()
    defer { ascend() }
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
    guard let (least, most, isCounted) = try quantifier() else { return node }
    if case .assertion = node { throw error("an assertion cannot be repeated") }
    var greed = PatternGreed.greedy
    var repeats: PatternNode?
    if peek() == "?" {
      // `{3}?` is no lazy repetition but an optional one.
      if isCounted, least == most {
        repeats = .repeated(node, least: least, most: most, .greedy)
      } else {
        greed = .lazy
      }
      position += 1
    } else if peek() == "+" {
      if isCounted {
        // `{1,3}+` is not possessive: it repeats the repetition.
        repeats = .repeated(node, least: least, most: most, .greedy)
      } else {
        greed = .possessive
      }
      position += 1
    }
    if let next = peek(), ["?", "+", "*", "{"].contains(next) {
      throw error("stacked quantifiers are not supported")
    }
    guard let repeats else { return .repeated(node, least: least, most: most, greed) }
    return source[position - 1] == "?"
      ? .repeated(repeats, least: 0, most: 1, .greedy)
      : .repeated(repeats, least: 1, most: nil, .greedy)
  }

  private mutating func quantifier() throws(PatternError) -> (Int, Int?, isCounted: Bool)? {
    if take("?") { return (0, 1, false) }
    if take("*") { return (0, nil, false) }
    if take("+") { return (1, nil, false) }
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
    return (bounds.0, bounds.1, true)
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
    case "\\":
      if let anchor = anchor() { return .assertion(anchor) }
      return .one(try classOf(try escape()))
    case ".": return .one(ScalarClass([.range(0xa...0xa)], negated: true))
    case "^": return .assertion(.lineStart)
    case "$": return .assertion(.lineEnd)
    case "*", "+", "?", "{":
      position -= 1
      throw error("\"\(scalar)\" is not supported here")
    default: return .one(try classOf(.range(scalar.value...scalar.value)))
    }
  }

  /// The anchor that follows a backslash.
  private mutating func anchor() -> PatternAssertion? {
    let anchors: [Unicode.Scalar: PatternAssertion] = [
      "A": .start, "z": .end, "Z": .lastLineEnd, "b": .wordBoundary(true),
      "B": .wordBoundary(false),
    ]
    guard let anchor = peek().flatMap({ anchors[$0] }) else { return nil }
    position += 1
    return anchor
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
    case "=": return .assertion(.next(try oneScalar("lookahead"), true))
    case "!": return .assertion(.next(try oneScalar("lookahead"), false))
    case "<" where take("="): return .assertion(.previous(try oneScalar("lookbehind"), true))
    case "<" where take("!"): return .assertion(.previous(try oneScalar("lookbehind"), false))
    default: throw error("this kind of group is not supported")
    }
  }

  private mutating func oneScalar(_ name: String) throws(PatternError) -> ScalarClass {
    guard case .one(let scalars) = try closed(try alternatives()) else {
      throw error("a \(name) must be one character or class")
    }
    return scalars
  }

  private mutating func closed(_ node: PatternNode) throws(PatternError) -> PatternNode {
    guard take(")") else { throw error("expected \")\"") }
    return node
  }

  /// The rest of a class whose `[` has been read.
  private mutating func bracketed() throws(PatternError) -> ScalarClass {
    try descend()
    defer { ascend() }
    if peek() == ":" { throw error("POSIX classes are not supported") }
    let negated = take("^")
    var parts: [ScalarClass] = []
    var items: [ScalarClass.Item] = []
    while !(peek() == "]" && !(items.isEmpty && parts.isEmpty)) {
      if peek() == "&", peek(1) == "&" {
        guard !items.isEmpty else { throw error("an intersection without its left side") }
        parts.append(try scalarClass(items, negated: false))
        items = []
        position += 2
      } else {
        items.append(try rangeOrItem())
      }
    }
    position += 1
    if parts.isEmpty { return try scalarClass(items, negated: negated) }
    guard !items.isEmpty else { throw error("an intersection without its right side") }
    let last = try scalarClass(items, negated: false)
    return ScalarClass([.nested(last)], and: parts, negated: negated)
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
    case "[": return .nested(try bracketed())
    default: return .range(scalar.value...scalar.value)
    }
  }

  /// What follows a backslash, if it stands for a scalar or a class.
  private mutating func escape() throws(PatternError) -> ScalarClass.Item {
    let scalar = try next()
    switch scalar {
    case "s": return .whitespace(negated: false)
    case "S": return .whitespace(negated: true)
    case "w": return .word(negated: false)
    case "W": return .word(negated: true)
    case "d": return .categories(CategorySet(named: "Nd"), negated: false)
    case "D": return .categories(CategorySet(named: "Nd"), negated: true)
    case "p", "P": return try property(negated: scalar == "P")
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

  private mutating func property(negated: Bool) throws(PatternError) -> ScalarClass.Item {
    guard take("{") else { throw error("expected \"{\" after \\p") }
    let complemented = take("^") != negated
    var name = ""
    while let scalar = peek(), scalar != "}" {
      name.unicodeScalars.append(scalar)
      position += 1
    }
    guard take("}") else { throw error("unknown property \\p{\(name)}") }
    let set = CategorySet(named: name)
    if !set.isEmpty { return .categories(set, negated: complemented) }
    guard let script = Scripts.script(named: name) else {
      throw error("unknown property \\p{\(name)}")
    }
    return .script(script, negated: complemented)
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

  /// Counts a level of nesting; the caller takes it back.
  private mutating func descend() throws(PatternError) {
    depth += 1
    guard depth <= TokenizationLimits.nesting else { throw error("nested too deep") }
  }

  private mutating func ascend() { depth -= 1 }

  private func error(_ reason: String) -> PatternError {
    PatternError(reason: reason, position: position)
  }
}

/// Why a pattern is refused, and how many scalars had been read.
struct PatternError: Error, Equatable {
  var reason: String
  var position: Int
}
