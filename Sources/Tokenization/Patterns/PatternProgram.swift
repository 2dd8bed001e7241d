/// A pattern compiled to instructions for `PatternMatcher`.
struct PatternProgram: Sendable {
  enum Instruction: Sendable {
    /// Takes one scalar of the class and continues with the next instruction.
    case take(scalarClass: Int)
    /// Continues with both, the first preferred.
    case either(first: Int, second: Int)
    case jump(Int)
    /// Continues if the next scalar's membership in the class is as expected.
    case lookahead(scalarClass: Int, expected: Bool)
    case match
  }

  private(set) var instructions: [Instruction] = []
  private(set) var classes: [ScalarClass] = []

  init(_ node: PatternNode) throws(PatternError) {
    try emit(node)
    try append(.match)
  }

  /// A program that takes one scalar of a class.
  init(_ scalars: ScalarClass) {
    classes = [scalars]
    instructions = [.take(scalarClass: 0), .match]
  }

  private mutating func emit(_ node: PatternNode) throws(PatternError) {
    switch node {
    case .one(let scalars): try append(.take(scalarClass: add(scalars)))
    case .lookahead(let scalars, let negated):
      try append(.lookahead(scalarClass: add(scalars), expected: !negated))
    case .sequence(let parts): for part in parts { try emit(part) }
    case .alternatives(let choices): try emit(choices)
    case .repeated(let body, let least, let most): try emit(body, least: least, most: most)
    }
  }

  private mutating func emit(_ choices: [PatternNode]) throws(PatternError) {
    var exits: [Int] = []
    for (index, choice) in choices.enumerated() {
      if index == choices.count - 1 {
        try emit(choice)
      } else {
        let fork = try append(.match)
        try emit(choice)
        exits.append(try append(.match))
        instructions[fork] = .either(first: fork + 1, second: instructions.count)
      }
    }
    for exit in exits { instructions[exit] = .jump(instructions.count) }
  }

  private mutating func emit(
    _ body: PatternNode, least: Int, most: Int?
  ) throws(PatternError) {
    for _ in 0..<least { try emit(body) }
    if let most {
      var forks: [Int] = []
      for _ in least..<most {
        forks.append(try append(.match))
        try emit(body)
      }
      let exit = instructions.count
      for fork in forks { instructions[fork] = .either(first: fork + 1, second: exit) }
    } else {
      let fork = try append(.match)
      try emit(body)
      try append(.jump(fork))
      instructions[fork] = .either(first: fork + 1, second: instructions.count)
    }
  }

  private mutating func add(_ scalars: ScalarClass) -> Int {
    classes.append(scalars)
    return classes.count - 1
  }

  @discardableResult
  private mutating func append(_ instruction: Instruction) throws(PatternError) -> Int {
    guard instructions.count < TokenizationLimits.patternInstructions else {
      throw PatternError(reason: "the pattern is too large", position: 0)
    }
    instructions.append(instruction)
    return instructions.count - 1
  }
}
