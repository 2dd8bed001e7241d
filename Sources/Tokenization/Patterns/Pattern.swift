/// A regular expression over Unicode scalars.
struct Pattern: Sendable {
  private let program: PatternProgram

  /// Compiles a regular expression; `path` is where it stands in its file, for errors.
  init(regex text: String, path: String) throws(TokenizationError) {
    guard text.utf8.count <= TokenizationLimits.patternBytes else {
      throw .tooLarge("pattern", text.utf8.count, limit: TokenizationLimits.patternBytes)
    }
    do throws(PatternError) {
      let node = try PatternParser.parse(text)
      // An empty match would split a text without taking any of it.
      if node.canBeEmpty { throw PatternError(reason: "it can match nothing", position: 0) }
      program = try PatternProgram(node)
    } catch {
      throw .unsupportedPattern(text, reason: error.reason, position: error.position, path: path)
    }
  }

  /// A pattern that matches `text` itself.
  init(literal text: String, path: String) throws(TokenizationError) {
    let scalars = text.unicodeScalars.map { PatternNode.one(ScalarClass($0)) }
    guard !scalars.isEmpty, text.utf8.count <= TokenizationLimits.patternBytes,
      let program = try? PatternProgram(.sequence(scalars))
    else { throw .unsupportedPattern(text, reason: "empty or too long", position: 0, path: path) }
    self.program = program
  }

  /// A pattern that matches one scalar of a class.
  init(_ scalars: ScalarClass) {
    program = PatternProgram(scalars)
  }

  /// Calls `body` with consecutive parts that cover `range`: matches and what lies between.
  func forEachPart(
    of bytes: [UInt8], in range: Range<Int>, _ body: (Range<Int>, _ isMatch: Bool) -> Void
  ) {
    var matcher = matcher
    matcher.forEachPart(of: bytes, in: range, body)
  }

  /// A matcher to reuse for many ranges.
  var matcher: PatternMatcher { PatternMatcher(program) }

  /// A matcher that begins to remember after other than the usual number of steps, for tests.
  func matcher(freeSteps: Int) -> PatternMatcher {
    PatternMatcher(program, freeSteps: freeSteps)
  }
}

extension Pattern {
  /// Reads `{"Regex": …}` or `{"String": …}`.
  init(_ field: Field) throws(TokenizationError) {
    if let regex = field.optional("Regex") {
      try self.init(regex: try regex.string, path: regex.path)
    } else {
      let literal = try field.member("String")
      try self.init(literal: try literal.string, path: literal.path)
    }
  }
}

extension [UInt8] {
  /// The text with every match of `pattern` replaced.
  func replacing(_ pattern: Pattern, with content: [UInt8]) -> [UInt8] {
    var replaced: [UInt8] = []
    replaced.reserveCapacity(count)
    pattern.forEachPart(of: self, in: indices) { range, isMatch in
      replaced += isMatch ? content[...] : self[range]
    }
    return replaced
  }
}
