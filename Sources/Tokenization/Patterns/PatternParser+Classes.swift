extension PatternParser {
  /// The rest of a class whose `[` has been read.
  mutating func bracketed() throws(PatternError) -> ScalarClass {
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
        _ = (take("&"), take("&"))
      } else {
        items.append(try rangeOrItem())
      }
    }
    _ = take("]")
    if parts.isEmpty { return try scalarClass(items, negated: negated) }
    guard !items.isEmpty else { throw error("an intersection without its right side") }
    let last = try scalarClass(items, negated: false)
    return ScalarClass([.nested(last)], and: parts, negated: negated)
  }

  private mutating func rangeOrItem() throws(PatternError) -> ScalarClass.Item {
    let item = try classItem()
    guard case .range(let low) = item, peek() == "-", peek(1) != "]" else { return item }
    _ = take("-")
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
  mutating func escape() throws(PatternError) -> ScalarClass.Item {
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
      _ = take(scalar)
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
      _ = take(scalar)
    }
    guard let value = UInt32(text, radix: 16), Unicode.Scalar(value) != nil,
      braced ? take("}") : text.count == digits, braced || digits == 4 || value < 0x80
    else { throw error("malformed or ambiguous hexadecimal escape") }
    return .range(value...value)
  }

  func classOf(_ item: ScalarClass.Item) throws(PatternError) -> ScalarClass {
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
}
