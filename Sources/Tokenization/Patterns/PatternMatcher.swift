/// Finds matches of a program in UTF-8, preferring earlier alternatives and longer repetitions
/// as a backtracking engine does.
///
/// All ways to match advance together, one scalar at a time, so a match takes time proportional
/// to the text it looks at: no pattern can make it explode.
struct PatternMatcher {
  private let program: PatternProgram
  /// Places in the program that wait for a scalar, most preferred first.
  private var current: [Int] = []
  private var following: [Int] = []
  /// The step at which an instruction was last added, so that each is added once per step.
  private var added: [Int]
  private var step = 0
  private var pending: [Int] = []

  init(_ program: PatternProgram) {
    self.program = program
    added = Array(repeating: -1, count: program.instructions.count)
  }

  /// The end of the preferred match that starts at `start`; nil if there is none.
  mutating func end(in bytes: [UInt8], from start: Int, to end: Int) -> Int? {
    var position = start
    var read = bytes.scalar(at: position, end: end)
    var matched: Int?
    current.removeAll(keepingCapacity: true)
    step += 1
    Self.add(
      0, next: read, program: program, step: step, added: &added, pending: &pending,
      to: &current)
    while !current.isEmpty {
      let after = position + (read?.length ?? 0)
      let next = read == nil ? nil : bytes.scalar(at: after, end: end)
      following.removeAll(keepingCapacity: true)
      step += 1
      scan: for place in current {
        switch program.instructions[place] {
        case .take(let scalarClass):
          if let read, program.classes[scalarClass].contains(read.scalar) {
            Self.add(
              place + 1, next: next, program: program, step: step, added: &added,
              pending: &pending, to: &following)
          }
        default:
          matched = position
          break scan
        }
      }
      swap(&current, &following)
      position = after
      read = next
    }
    return matched
  }

  /// Adds an instruction and all that are reached from it without taking a scalar, keeping the
  /// order of preference. Static, so that only the lists it changes are borrowed.
  private static func add(
    _ start: Int, next: ScalarRead?, program: PatternProgram, step: Int, added: inout [Int],
    pending: inout [Int], to list: inout [Int]
  ) {
    pending.append(start)
    while let place = pending.popLast() {
      if added[place] == step { continue }
      added[place] = step
      switch program.instructions[place] {
      case .take, .match: list.append(place)
      case .jump(let target): pending.append(target)
      case .either(let first, let second):
        pending.append(second)
        pending.append(first)
      case .lookahead(let scalarClass, let expected):
        let found = next.map { program.classes[scalarClass].contains($0.scalar) } ?? false
        if found == expected { pending.append(place + 1) }
      }
    }
  }
}
