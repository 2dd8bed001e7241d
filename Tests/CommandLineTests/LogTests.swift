import Foundation
import StrictJSON
import TestSupport
import Testing

@testable import Pipeline
@testable import spikingbrain

/// What is said on standard error, how much of it and in which form, and the record of a run.
struct LogTests {
  private let text = Repository.root + "/demo/pride-and-prejudice-end.txt"

  private func evaluate(_ more: [String]) throws -> Program.Result {
    try Program.run(
      ["evaluate", Repository.tinyQwen2, "--text", text, "--tokens", "64", "--context", "32"] + more
    )
  }

  @Test func `a log line is due every half minute, and not before`() {
    let start = Date(timeIntervalSince1970: 0)
    func state(_ share: Double) -> Event.Progress {
      Event.Progress(
        title: "healing", unit: .share,
        state: .at(share: share, detail: "layer 3", done: nil, total: nil))
    }
    var log = ProgressView(in: .log, at: start)
    #expect(log.line(for: state(0.1), at: start + 1) == nil)
    let line = log.line(for: state(0.5), at: start + 31)
    #expect(line?.text(columns: .max) == "healing 50%, layer 3, 31 s, 38 s left")
    #expect(line?.facts["share"]?.double == 0.5)
    #expect(log.line(for: state(1), at: start + 32) == nil)
    var terminal = ProgressView(in: .terminal, at: start)
    #expect(terminal.line(for: state(0.1), at: start + 0.01) != nil)
    #expect(terminal.line(for: state(0.2), at: start + 0.02) == nil)
    #expect(terminal.line(for: state(1), at: start + 0.03) != nil)
  }

  @Test func `json: an error is one object on one line`() throws {
    let result = try Program.run(["inspect", "/no/such\u{1b}[2J", "--log-format", "json"])
    #expect(result.code == 2)
    let lines = result.error.split(separator: "\n")
    #expect(lines.count == 1)
    let object = try JSONParser.parse(String(lines[0]))
    #expect(object["level"] == "error")
    #expect(object["exitCode"] == 2)
    #expect(object["message"]?.string?.contains("\u{1b}") == true)
    #expect(!result.error.contains("\u{1b}"))
  }

  @Test func `quiet is the level error, and nothing else may be asked for beside it`() throws {
    let result = try Program.run(["inspect", "x", "--quiet", "--log-level", "note"])
    #expect(result.code == 64)
    #expect(result.error.contains("--quiet is --log-level error"))
  }

  @Test func `a record says what the run took, replaces records and nothing else`() throws {
    let directory = try TemporaryDirectory()
    let path = directory("run.json")
    for tokens in ["32", "64"] {
      #expect(try evaluate(["--tokens", tokens, "--run-json", path]).code == 0)
      let record = try JSONParser.parse(Files.bytes(path))
      #expect(record["exitCode"] == 0)
      #expect(record["command"]?.array?.contains(.string(tokens)) == true)
      #expect(record["report"]?["tokens"]?.double == Double(tokens))
      #expect((record["peakMemoryBytes"]?.double ?? 0) > 1e6)
      #expect((record["seconds"]?.double ?? -1) >= 0)
    }
    try Data("mine".utf8).write(to: URL(filePath: path))
    let refused = try evaluate(["--run-json", path])
    #expect(refused.code == 2)
    #expect(try Files.text(path) == "mine")
  }

  @Test func `the record of a run that failed says why`() throws {
    let directory = try TemporaryDirectory()
    let result = try Program.run(["inspect", "/no/such", "--run-json", directory("run.json")])
    #expect(result.code == 2)
    let record = try JSONParser.parse(Files.bytes(directory("run.json")))
    #expect(record["exitCode"] == 2)
    #expect(record["error"]?.string?.hasPrefix("/no/such: ") == true)
  }
}
