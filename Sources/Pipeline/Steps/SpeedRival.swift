import Foundation
import Foundations
import Verification

/// What speed is measured of.
protocol SpeedSubject {
  /// Seconds for reading a prompt of `length` tokens and choosing the token after it.
  mutating func prefill(_ length: Int) throws -> Double
  /// Seconds for decoding `count` tokens after a text of `position` tokens.
  mutating func decode(_ count: Int, at position: Int) throws -> Double
}

extension SpeedProbe: SpeedSubject {}

/// Another program, which is asked to measure itself.
///
/// A line on its standard input is a question, a line on its standard output the answer:
///
/// | question | answer |
/// |---|---|
/// | `name` | what it is, and how many threads it uses |
/// | `next 1 2 3` | the id of the most likely token after these |
/// | `prefill N` | seconds for reading N tokens and choosing the next |
/// | `decode N P` | seconds for decoding N tokens one by one after P tokens |
///
/// It ends when its input does.
final class RivalProgram: SpeedSubject {
  private let command: String
  private let process = Process()
  private let questions = Pipe(), answers = Pipe()
  private var read: [UInt8] = []

  /// Answers are short.
  private static let longestAnswer = 1 << 16

  /// Starts `command` in a shell.
  init(_ command: String) throws {
    self.command = command
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command]
    process.standardInput = questions
    process.standardOutput = answers
    do { try process.run() } catch { throw BenchError.rival(command, "it cannot be started") }
  }

  // Whatever it is doing: nobody asks it any more.
  deinit {
    try? questions.fileHandleForWriting.close()
    try? answers.fileHandleForReading.close()
    if process.isRunning { process.terminate() }
  }

  /// What it says that it is.
  func name() throws -> String { try ask("name") }

  /// The most likely token after `tokens`.
  func next(after tokens: [Int]) throws -> Int {
    let answer = try ask("next " + tokens.map(String.init).joined(separator: " "))
    guard let token = Int(answer) else { throw unexpected(answer, "a token") }
    return token
  }

  func prefill(_ length: Int) throws -> Double { try seconds("prefill \(length)") }

  func decode(_ count: Int, at position: Int) throws -> Double {
    try seconds("decode \(count) \(position)")
  }

  private func seconds(_ question: String) throws -> Double {
    let answer = try ask(question)
    guard let seconds = Double(answer), seconds > 0, seconds.isFinite else {
      throw unexpected(answer, "seconds")
    }
    return seconds
  }

  private func unexpected(_ answer: String, _ expected: String) -> BenchError {
    .rival(command, "it answers “\(answer.prefix(60))”, expected \(expected)")
  }

  /// The answer to a question.
  private func ask(_ question: String) throws -> String {
    do {
      try questions.fileHandleForWriting.write(contentsOf: Data((question + "\n").utf8))
    } catch { throw BenchError.rival(command, "it does not answer “\(question)”") }
    while true {
      if let end = read.firstIndex(of: UInt8(ascii: "\n")) {
        let line = String(decoding: read[..<end], as: UTF8.self)
        read.removeFirst(end + 1)
        return line.trimmingCharacters(in: .whitespaces)
      }
      let more = answers.fileHandleForReading.availableData
      guard !more.isEmpty, read.count < Self.longestAnswer else {
        throw BenchError.rival(command, "it does not answer “\(question)”")
      }
      read += more
    }
  }
}
