/// A pattern compiled to instructions for `PatternMatcher`.
///
/// It is compiled from its end to its beginning: each part is told where a match goes on. No way
/// through the instructions comes back to one of them without taking a scalar, so a place in the
/// program and one in the text say all about what can still match.
struct PatternProgram: Sendable {
  enum Instruction: Sendable {
    /// Takes `least` to `most` scalars of a class.
    case run(scalars: Int, least: Int, most: Int, possessive: Bool, next: Int)
    /// Goes on with both, the first preferred.
    case either(first: Int, second: Int)
    case assertion(Int, next: Int)
    case match
  }

  private(set) var instructions: [Instruction] = [.match]
  private(set) var classes: [ScalarClass] = []
  private(set) var assertions: [PatternAssertion] = []
  /// Where a match begins.
  private(set) var start = 0
  /// What one look at a scalar can cost in all instructions.
  private var weight = 0
  private var compiled = 0

  /// Where a match goes on after a part.
  ///
  /// A repetition whose body took nothing ends, as it would go on for ever: so it matters whether
  /// the body has taken a scalar since it began.
  private struct Exit: Equatable {
    var untaken: Int
    var taken: Int

    init(_ place: Int) { (untaken, taken) = (place, place) }

    init(untaken: Int, taken: Int) {
      self.untaken = untaken
      self.taken = taken
    }

    var isOne: Bool { untaken == taken }
  }

  init(_ node: PatternNode) throws(PatternError) {
    start = try compile(node, Exit(0)).untaken
  }

  /// A program that takes one scalar of a class.
  init(_ scalars: ScalarClass) {
    classes = [scalars]
    instructions.append(.run(scalars: 0, least: 1, most: 1, possessive: false, next: 0))
    start = 1
  }

  /// Returns where the node begins if it goes on at `exit`.
  private mutating func compile(
    _ node: PatternNode, _ exit: Exit
  ) throws(PatternError) -> Exit {
    // Parts that compile to nothing count too, or repeating them would take for ever.
    compiled += 1
    guard compiled <= TokenizationLimits.patternInstructions else { throw Self.tooLarge }
    switch node {
    case .one(let scalars):
      return Exit(try run(scalars, least: 1, most: 1, next: exit.taken))
    case .sequence(let parts):
      var exit = exit
      for part in parts.reversed() { exit = try compile(part, exit) }
      return exit
    case .alternatives(let choices):
      var entry: Exit?
      for choice in choices.reversed() {
        let first = try compile(choice, exit)
        entry = try entry.map { second throws(PatternError) in try fork(first, second) } ?? first
      }
      return entry ?? exit
    case .assertion(let assertion):
      let untaken = try append(assertion, next: exit.untaken)
      if exit.isOne { return Exit(untaken) }
      return Exit(untaken: untaken, taken: try append(assertion, next: exit.taken))
    case .repeated(let body, let least, let most, let greed):
      return try compile(body, least: least, most: most, greed, exit)
    }
  }

  private mutating func compile(
    _ body: PatternNode, least: Int, most: Int?, _ greed: PatternGreed, _ exit: Exit
  ) throws(PatternError) -> Exit {
    if case .one(let scalars) = body, greed != .lazy {
      return try compile(
        scalars, least: least, most: most ?? .max, possessive: greed == .possessive, exit)
    }
    guard greed != .possessive else {
      throw PatternError(
        reason: "a possessive repetition of more than one character or class is not supported",
        position: 0)
    }
    var entry = exit
    if let most {
      for _ in least..<most {
        entry = try fork(try compile(body, entry), exit, prefersSecond: greed == .lazy)
      }
    } else {
      entry = try loop(body, prefersExit: greed == .lazy, exit)
    }
    for _ in 0..<least { entry = try compile(body, entry) }
    return entry
  }

  /// Any number of `body`.
  private mutating func loop(
    _ body: PatternNode, prefersExit: Bool, _ exit: Exit
  ) throws(PatternError) -> Exit {
    func either(_ body: Int, _ exit: Int) -> Instruction {
      prefersExit ? .either(first: exit, second: body) : .either(first: body, second: exit)
    }
    let again = try append(.match)
    let entry = try compile(body, Exit(untaken: exit.taken, taken: again)).untaken
    instructions[again] = either(entry, exit.taken)
    if exit.isOne { return Exit(again) }
    let first = try compile(body, Exit(untaken: exit.untaken, taken: again)).untaken
    return Exit(untaken: try append(either(first, exit.untaken)), taken: again)
  }

  /// A run of scalars of one class.
  private mutating func compile(
    _ scalars: ScalarClass, least: Int, most: Int, possessive: Bool, _ exit: Exit
  ) throws(PatternError) -> Exit {
    if most == 0 { return exit }
    if least > 0 || exit.isOne {
      return Exit(
        try run(scalars, least: least, most: most, possessive: possessive, next: exit.taken))
    }
    let some = try run(scalars, least: 1, most: most, possessive: possessive, next: exit.taken)
    let none =
      possessive
      ? try append(.next(scalars, false), next: exit.untaken) : exit.untaken
    return Exit(
      untaken: try append(.either(first: some, second: none)),
      taken: try run(
        scalars, least: 0, most: most, possessive: possessive, next: exit.taken))
  }

  private mutating func run(
    _ scalars: ScalarClass, least: Int, most: Int, possessive: Bool = false, next: Int
  ) throws(PatternError) -> Int {
    // What is counted is as much work as if it were written out.
    let (work, overflows) = (most == .max ? max(least, 1) : most)
      .multipliedReportingOverflow(by: scalars.weight)
    weight += overflows ? TokenizationLimits.patternWeight : work
    guard weight < TokenizationLimits.patternWeight else { throw Self.tooLarge }
    classes.append(scalars)
    return try append(
      .run(
        scalars: classes.count - 1, least: least, most: most, possessive: possessive, next: next))
  }

  private mutating func fork(
    _ first: Exit, _ second: Exit, prefersSecond: Bool = false
  ) throws(PatternError) -> Exit {
    let (first, second) = prefersSecond ? (second, first) : (first, second)
    let untaken = try append(.either(first: first.untaken, second: second.untaken))
    if first.isOne, second.isOne { return Exit(untaken) }
    return Exit(
      untaken: untaken, taken: try append(.either(first: first.taken, second: second.taken)))
  }

  private mutating func append(
    _ assertion: PatternAssertion, next: Int
  ) throws(PatternError) -> Int {
    switch assertion {
    case .next(let scalars, _), .previous(let scalars, _): weight += scalars.weight
    default: weight += 1
    }
    assertions.append(assertion)
    return try append(.assertion(assertions.count - 1, next: next))
  }

  private mutating func append(_ instruction: Instruction) throws(PatternError) -> Int {
    guard instructions.count < TokenizationLimits.patternInstructions else {
      throw Self.tooLarge
    }
    instructions.append(instruction)
    return instructions.count - 1
  }

  private static let tooLarge = PatternError(reason: "the pattern is too large", position: 0)
}
