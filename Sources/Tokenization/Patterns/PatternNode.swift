/// The syntax tree of a pattern.
indirect enum PatternNode: Sendable {
  case one(ScalarClass)
  case sequence([PatternNode])
  /// Earlier alternatives are preferred.
  case alternatives([PatternNode])
  /// Greedy; `most` nil means any number.
  case repeated(PatternNode, least: Int, most: Int?)
  /// Whether the next scalar is in the class, taking nothing. At the end there is no scalar.
  case lookahead(ScalarClass, negated: Bool)

  /// Whether the node can match without taking a scalar.
  var canBeEmpty: Bool {
    switch self {
    case .one: false
    case .sequence(let parts): parts.allSatisfy(\.canBeEmpty)
    case .alternatives(let choices): choices.contains(where: \.canBeEmpty)
    case .repeated(let body, let least, _): least == 0 || body.canBeEmpty
    case .lookahead: true
    }
  }
}
