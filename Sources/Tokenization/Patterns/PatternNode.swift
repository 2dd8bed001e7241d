/// The syntax tree of a pattern.
indirect enum PatternNode: Sendable {
  case one(ScalarClass)
  case sequence([PatternNode])
  /// Earlier alternatives are preferred.
  case alternatives([PatternNode])
  /// `most` nil means any number.
  case repeated(PatternNode, least: Int, most: Int?, PatternGreed)
  case assertion(PatternAssertion)

  /// Whether the node can match without taking a scalar.
  var canBeEmpty: Bool {
    switch self {
    case .one: false
    case .sequence(let parts): parts.allSatisfy(\.canBeEmpty)
    case .alternatives(let choices): choices.contains(where: \.canBeEmpty)
    case .repeated(let body, let least, _, _): least == 0 || body.canBeEmpty
    case .assertion: true
    }
  }
}

/// How often a repetition prefers to repeat.
enum PatternGreed: Sendable {
  case greedy
  case lazy
  /// As often as it can, and never less for what follows.
  case possessive
}

/// What must hold between two scalars; it takes none. Beyond either end there is no scalar.
enum PatternAssertion: Sendable {
  /// Whether the next scalar is in the class.
  case next(ScalarClass, Bool)
  /// Whether the scalar before is in the class.
  case previous(ScalarClass, Bool)
  case start
  case end
  /// The start, or after a line break that is not the last scalar.
  case lineStart
  /// The end, or before a line break.
  case lineEnd
  /// The end, or before a line break that is the last scalar.
  case lastLineEnd
  /// Whether a word begins or ends here.
  case wordBoundary(Bool)
}
