/// Finds matches of a program in UTF-8, preferring earlier alternatives and longer repetitions
/// as the backtracking engine of the reference library does.
///
/// It backtracks too, but remembers which places of program and text it has been at: what failed
/// once fails again, from wherever it is reached. So all matches in a text together take time
/// proportional to its length, whatever the pattern. Remembering starts only when a match takes
/// more steps than those of ordinary patterns do.
struct PatternMatcher {
  private let program: PatternProgram
  /// What is still to be tried, the most preferred last.
  private var choices: [Choice] = []
  /// The steps of the match at hand.
  private var steps = 0
  /// Whether visited places are remembered.
  private var remembers = false
  /// A bit for each instruction, for each byte of the text from `base` on.
  private var visited: [UInt64] = []
  private let words: Int
  private var base = 0
  /// The last place in the text that is remembered.
  private var reach = -1
  private var origin = 0
  private var end = 0

  /// Steps of a match before the matcher remembers.
  private let freeSteps: Int

  /// Another way to go on: at `low` with instruction `place`, or, if `start` is not negative, the
  /// shorter repetitions of the run at `place` that began at `start`: `low..<high` are untried.
  private struct Choice {
    var place: Int
    var start = -1
    var low: Int
    var high = 0
  }

  init(_ program: PatternProgram, freeSteps: Int = 512) {
    self.program = program
    self.freeSteps = freeSteps
    words = (program.instructions.count + 63) / 64
  }

  /// Calls `body` with consecutive parts that cover `range`: matches and what lies between.
  mutating func forEachPart(
    of bytes: [UInt8], in range: Range<Int>, _ body: (Range<Int>, _ isMatch: Bool) -> Void
  ) {
    reach = -1
    (origin, end) = (range.lowerBound, range.upperBound)
    var gap = range.lowerBound
    var position = gap
    while let read = bytes.scalar(at: position, end: range.upperBound) {
      guard let match = match(bytes, from: position) else {
        position += read.length
        continue
      }
      if gap < position { body(gap..<position, false) }
      body(position..<match, true)
      position = match
      gap = match
    }
    if gap < range.upperBound { body(gap..<range.upperBound, false) }
  }

  /// The end of the preferred match that starts at `start`; nil if there is none.
  private mutating func match(_ bytes: [UInt8], from start: Int) -> Int? {
    choices.removeAll(keepingCapacity: true)
    steps = 0
    if reach < start {
      // What is remembered lies behind.
      remembers = false
      visited.removeAll(keepingCapacity: true)
      base = start
    }
    var place = program.start
    var position = start
    while true {
      var holds = visit(place, position)
      if holds {
        switch program.instructions[place] {
        case .match: return position
        case .either(let first, let second):
          choices.append(Choice(place: second, low: position))
          place = first
        case .assertion(let assertion, let next):
          holds = self.holds(program.assertions[assertion], bytes, position)
          place = next
        case .run(let scalars, let least, let most, let possessive, let next):
          if least == 1, most == 1 {
            guard let read = bytes.scalar(at: position, end: end),
              program.classes[scalars].contains(read.scalar)
            else {
              holds = false
              break
            }
            position += read.length
          } else if let run = run(
            of: program.classes[scalars], bytes, place: place, from: position, least: least,
            most: most, possessive: possessive)
          {
            if run.high > run.low || most == .max { choices.append(run) }
            steps += run.high - position
            position = run.high
          } else {
            holds = false
          }
          place = next
        }
      }
      if holds { continue }
      guard let next = backtrack(bytes) else { return nil }
      (place, position) = next
    }
  }

  /// The longest run that begins at `start`, and what is left to try of it; nil if there is none,
  /// or all that could follow has failed before.
  private func run(
    of scalars: ScalarClass, _ bytes: [UInt8], place: Int, from start: Int, least: Int, most: Int,
    possessive: Bool
  ) -> Choice? {
    var (count, most) = (0, most)
    var choice = Choice(place: place, start: start, low: start, high: start)
    var known: Int?
    while let read = bytes.scalar(at: choice.high, end: end), scalars.contains(read.scalar) {
      if count == most {
        // Runs from `known` on are at least as long, so the only way on has failed.
        if possessive, known != nil { return nil }
        break
      }
      choice.high += read.length
      count += 1
      if count == least { choice.low = choice.high }
      // Where a run from later on has failed, only ends that are too near to it are untried.
      if known == nil, remembers, most == .max, isVisited(place, choice.high) {
        known = count
        most = count + max(least, 1) - 1
      }
    }
    if count < least { return nil }
    if possessive { choice.low = choice.high }
    return choice
  }

  /// The next choice to try; nil if there is none.
  private mutating func backtrack(_ bytes: [UInt8]) -> (place: Int, position: Int)? {
    while let choice = choices.last {
      let last = choices.count - 1
      guard choice.start >= 0,
        case .run(_, _, let most, _, let next) = program.instructions[choice.place]
      else {
        choices.removeLast()
        return (choice.place, choice.low)
      }
      steps += 1
      // The run would fail from where it is too, since all longer repetitions have.
      if remembers, most == .max { _ = visit(choice.place, choice.high) }
      if choice.high > choice.low {
        let shorter = bytes.scalarStart(before: choice.high, start: choice.low)
        choices[last].high = shorter
        return (next, shorter)
      }
      if remembers, most == .max {
        for position in choice.start..<choice.low { _ = visit(choice.place, position) }
      }
      choices.removeLast()
    }
    return nil
  }

  /// Marks a place as visited; false if it was.
  @inline(__always)
  private mutating func visit(_ place: Int, _ position: Int) -> Bool {
    if !remembers {
      steps += 1
      remembers = steps > freeSteps
      return true
    }
    reach = max(reach, position)
    let word = (position - base) * words + place / 64
    if visited.count <= word {
      visited.append(contentsOf: repeatElement(0, count: word + 1 - visited.count))
    }
    let bit: UInt64 = 1 << UInt64(place % 64)
    if visited[word] & bit != 0 { return false }
    visited[word] |= bit
    return true
  }

  private func isVisited(_ place: Int, _ position: Int) -> Bool {
    let word = (position - base) * words + place / 64
    return word < visited.count && visited[word] >> UInt64(place % 64) & 1 != 0
  }

  private func holds(_ assertion: PatternAssertion, _ bytes: [UInt8], _ position: Int) -> Bool {
    func next() -> Unicode.Scalar? { bytes.scalar(at: position, end: end)?.scalar }
    func previous() -> Unicode.Scalar? {
      bytes.scalar(at: bytes.scalarStart(before: position, start: origin), end: position)?.scalar
    }
    switch assertion {
    case .next(let scalars, let expected):
      return (next().map(scalars.contains) ?? false) == expected
    case .previous(let scalars, let expected):
      return (previous().map(scalars.contains) ?? false) == expected
    case .start: return position == origin
    case .end: return position == end
    case .lineStart: return position == origin || (previous() == "\n" && position < end)
    case .lineEnd: return position == end || next() == "\n"
    case .lastLineEnd: return position == end || (next() == "\n" && position + 1 == end)
    case .wordBoundary(let expected):
      let isInside = previous().map(ScalarClass.word.contains) ?? false
      return (isInside != (next().map(ScalarClass.word.contains) ?? false)) == expected
    }
  }
}
