import Checkpoints
import Foundation
import Foundations
import Kernels
import ModelFiles
import StrictJSON
import Tokenization
import Verification

/// Several models or programs that are measured in turn, so that what else the machine does meets all of
/// them.
struct SpeedContest {
  /// Who takes part; ours comes first.
  private var subjects: [(name: String, subject: any SpeedSubject)]
  private let inputs: [String]

  /// The checkpoint that `probe` measures, against others.
  ///
  /// - Parameter others: paths of checkpoints, and commands of programs. A program has to find the same
  ///   token most likely after a text as one of the checkpoints does.
  init(
    _ runnable: RunnableModel, _ probe: SpeedProbe, named name: String, against others: [String],
    _ context: Context
  ) throws {
    subjects = [(name, probe)]
    inputs = runnable.file.inputs
    let text = try? runnable.file.tokenizer.load()
    let prompt =
      text?.encode("The capital of France is", addSpecialTokens: false)
      ?? SelfCheck.tokens(runnable.model, count: 8)
    var expected = [try probe.next(after: prompt)]
    let paths = others.filter { FileManager.default.fileExists(atPath: $0) }
    var file = runnable.file
    for (index, path) in paths.enumerated() {
      let rival = try RunnableModel(
        path, after: file, isLast: index == paths.count - 1, context)
      file = rival.file
      let other = try SpeedProbe(rival.model)
      expected.append(try other.next(after: prompt))
      subjects.append((checkpointName(path), other))
    }
    for command in others where !FileManager.default.fileExists(atPath: command) {
      try Self.requireProgram(command)
      let program = try RivalProgram(command), found = try program.next(after: prompt)
      guard expected.contains(found) else {
        throw BenchError.rival(
          command, "it takes \(found) for the most likely next token, not \(expected[0])")
      }
      subjects.append((try program.name(), program))
    }
  }

  /// Throws for a single word that names no program: a mistyped checkpoint would be run as one.
  private static func requireProgram(_ command: String) throws {
    if command.contains(where: \.isWhitespace) { return }
    let places =
      command.contains("/")
      ? [""]
      : (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/" }
    guard !places.contains(where: { FileManager.default.isExecutableFile(atPath: $0 + command) })
    else { return }
    throw BenchError.rival(command, "it is neither a checkpoint nor a program")
  }

  /// What all took, in seconds by subject, for one thing that is measured.
  private struct Row {
    let what: String
    let tokens: Int
    let length: Int
    var seconds: [[Double]]

    /// Tokens per second of a subject, round by round.
    func rates(_ subject: Int) -> [Double] { seconds[subject].map { Double(tokens) / $0 } }
    /// The median of how many times as fast ours is.
    func ratio(_ subject: Int) -> Double {
      median(zip(seconds[subject], seconds[0]).map { $0 / $1 })
    }
  }

  /// Measures everything `rounds` times and says what came out.
  func report(
    prefill lengths: [Int], decode count: Int, at positions: [Int], rounds: Int, plot: String?
  ) throws -> Report {
    var subjects = subjects
    let none = [[Double]](repeating: [], count: subjects.count)
    var prefills = lengths.map {
      Row(what: "prefill \($0)", tokens: $0, length: $0, seconds: none)
    }
    var decodes = positions.map {
      Row(what: "decode at \($0)", tokens: count, length: $0, seconds: none)
    }
    // The first run maps pages and fills caches.
    for index in subjects.indices { _ = try subjects[index].subject.prefill(16) }
    for _ in 0..<rounds {
      for row in prefills.indices {
        for index in subjects.indices {
          prefills[row].seconds[index].append(
            try subjects[index].subject.prefill(prefills[row].length))
        }
      }
      for row in decodes.indices {
        for index in subjects.indices {
          decodes[row].seconds[index].append(
            try subjects[index].subject.decode(count, at: decodes[row].length))
        }
      }
    }
    if let plot {
      let names = subjects.map(\.name)
      try SpeedPlot(
        prefill: names.enumerated().map { index, name in
          (name, prefills.map { (Double($0.length), median($0.seconds[index])) })
        },
        decode: names.enumerated().map { index, name in
          (name, decodes.map { (Double($0.length), median($0.rates(index))) })
        }
      ).write(to: plot, inputs: inputs)
    }
    return Report(
      json: [
        "rounds": .int(rounds), "threads": .int(Parallel.threadCount),
        "instructionSet": .string("\(InstructionSet.current)"), "machine": .string(machine()),
        "prefill": json(prefills), "decode": json(decodes),
      ],
      text: text(prefills + decodes)
        + "\ntokens/s: medians (least to most) of \(counted(rounds, "round")), taken in turn; how many "
        + "times as fast we are\n\(counted(Parallel.threadCount, "thread")), \(InstructionSet.current)"
    )
  }

  private func text(_ rows: [Row]) -> String {
    var table = Table(rightAligned: [2])
    for row in rows {
      for (index, subject) in subjects.enumerated() {
        let rates = row.rates(index)
        table.add(
          index == 0 ? row.what : "", subject.name, fixed(median(rates), 1),
          "(\(fixed(rates.min() ?? 0, 1)) to \(fixed(rates.max() ?? 0, 1)))",
          index == 0 ? "" : "\(fixed(row.ratio(index), 2)) x")
      }
    }
    return table.text
  }

  private func json(_ rows: [Row]) -> JSONValue {
    .array(
      rows.map { row in
        [
          "length": .int(row.length),
          "subjects": .array(
            subjects.enumerated().map { index, subject in
              [
                "name": .string(subject.name),
                "seconds": .array(row.seconds[index].map { .double($0) }),
                "tokensPerSecond": .double(median(row.rates(index))),
                "ratio": .double(row.ratio(index)),
              ]
            }),
        ]
      })
  }
}

/// The middle value, the mean of the middle two of an even number.
func median(_ values: [Double]) -> Double {
  let sorted = values.sorted(), middle = sorted.count / 2
  guard !sorted.isEmpty else { return .nan }
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
