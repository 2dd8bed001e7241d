import Foundation
import TestSupport
import Testing

@testable import spikingbrain

/// Progress lines.
struct ProgressTests {
  @Test func `a line never fills the terminal, and says first what matters most`() {
    var line = ProgressLine(title: "calibrating: measuring sensitivity")
    line.share = 0.237
    line.detail = "layer 12 of 30, error 0.425"
    line.counts = ["1.20 GB of 2.60 GB", "320 MB/s"]
    line.elapsed = 63
    line.left = 4000
    for columns in 1...200 {
      #expect(line.text(columns: columns).count < max(columns, 6), "\(columns)")
    }
    #expect(
      line.text(columns: 200)
        == "calibrating: measuring sensitivity 23%, layer 12 of 30, error 0.425, "
        + "1.20 GB of 2.60 GB, 320 MB/s, 1 min 3 s, 1 h 6 min left")
    #expect(
      line.text(columns: 80)
        == "calibrating: measuring sensitivity 23%, 1 min 3 s, 1 h 6 min left")
    #expect(line.text(columns: 20) == "calibrating: me 23%")
  }

  @Test func `what an earlier run did takes this one no time`() {
    let start = Date(timeIntervalSince1970: 0)
    var pace = Pace()
    pace.note(0.5, at: start)
    #expect(pace.rate(at: start + 10) == nil)
    pace.note(0.6, at: start + 10)
    #expect(abs((pace.rate(at: start + 10) ?? 0) - 0.01) < 1e-12)
    // A part that finds something done starts from there.
    pace.begin()
    pace.note(0.8, at: start + 10)
    #expect(pace.rate(at: start + 11) == nil)
    pace.note(0.9, at: start + 20)
    #expect(abs((pace.rate(at: start + 20) ?? 0) - 0.01) < 1e-12)
  }

  /// What a terminal of 80 columns gets of a command.
  private func terminal(_ arguments: [String]) throws -> String {
    let words = ([Program.path] + arguments).map { "'\($0)'" }.joined(separator: " ")
    let result = try RunningProgram(
      "/usr/bin/script", ["-qec", "stty cols 80; exec \(words)", "/dev/null"]
    ).wait()
    #expect(result.code == 0, "\(result)")
    return result.text
  }

  /// The states of the line that is written over, without what clears it.
  private func states(_ text: String) -> [Substring] {
    text.split(separator: "\r").compactMap { part in
      part.hasPrefix("\u{1b}[K") ? part.dropFirst(3).split(separator: "\n").first : nil
    }
  }

  @Test func `healing and calibrating keep to one line of 80 columns`() throws {
    let directory = try TemporaryDirectory()
    try TinyModel.convert(Repository.tinyQwen2, to: directory("c")) { _ in }
    let text = Repository.root + "/demo/pride-and-prejudice-end.txt"
    let healing = try terminal([
      "heal", directory("c"), "--teacher", Repository.tinyQwen2, "--text", text, "--output",
      directory("h"), "--tokens", "4096", "--context", "128", "--steps", "20", "--distill-steps",
      "2",
    ])
    let calibrating = try terminal([
      "calibrate", directory("c"), directory("k"), "--text", text, "--samples", "4", "--context",
      "128", "--k", "auto", "--weights", "int8",
    ])
    for (said, title) in [(healing, "healing "), (calibrating, "calibrating ")] {
      let states = states(said).filter { $0.hasPrefix(title) }
      #expect(!states.isEmpty, "\(said)")
      #expect(states.allSatisfy { $0.count < 80 }, "\(states)")
    }
    // One state's share is never below that before it, second stage included.
    let shares = states(healing).filter { $0.hasPrefix("healing ") }.compactMap {
      Int($0.dropFirst(8).prefix { $0.isNumber })
    }
    #expect(shares == shares.sorted(), "\(shares)")
    // Eight layers, the second stage, the prediction, notes: no line per update.
    #expect(healing.split(separator: "\n").count < 20, "\(healing)")
  }
}
