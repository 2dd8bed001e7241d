import Foundation
import TestSupport
import Testing

/// What the README and `docs/commands.md` say can be typed.
struct ReadmeTests {
  /// The commands of a document's block that works on one's own checkpoint, without their comments.
  private static func commands(_ document: String) throws -> [String] {
    let text = try Files.text(Repository.root + "/" + document)
    let block = text.components(separatedBy: "```").first { $0.hasPrefix("\n# CKPT is your") }
    return try #require(block).split(separator: "\n").map(String.init)
      .filter { $0.hasPrefix("spikingbrain ") }
      .map { line in
        let command = line.range(of: " #").map { String(line[..<$0.lowerBound]) } ?? line
        return command.trimmingCharacters(in: .whitespaces)
      }
  }

  /// The short block is part of the long one, in its order, so that typing the long one types both.
  @Test func `the commands of the README are among those of the page of commands`() throws {
    let short = try Self.commands("README.md")
    #expect(short.count == 6)
    var rest = try Self.commands("docs/commands.md")[...]
    for command in short {
      let place = try #require(rest.firstIndex(of: command), "\(command)")
      rest = rest[(place + 1)...]
    }
  }

  /// CKPT is a name on a Hub, so that what a directory can do is done with less of it at hand.
  @Test func `each command works as written, in order`() throws {
    let commands = try Self.commands("docs/commands.md")
    #expect(commands.count > 10)
    let directory = try TemporaryDirectory()
    try Files.copy(Repository.tinyQwen2, to: directory("tiny"))
    try directory.write(
      "tiny/tokenizer_config.json",
      #"{"chat_template": "{% for m in messages %}{{ m.content }} {% endfor %}"}"#)
    let hub = try StandInHub(directory: directory("tiny"))
    for (name, target) in [
      ("recipes", Repository.root + "/recipes"),
      ("demo", Repository.root + "/demo"),
      ("book.txt", Repository.root + "/demo/war-and-peace-begin.txt"),
    ] {
      try FileManager.default.createSymbolicLink(
        atPath: directory(name), withDestinationPath: target)
    }
    let program = URL(fileURLWithPath: Program.path).deletingLastPathComponent().path
    for command in commands {
      let words = command.replacingOccurrences(of: "CKPT", with: "hf:" + StandInHub.name)
      let result = try RunningProgram(
        "/bin/bash", ["-c", "cd '\(directory.path)'; PATH='\(program)':$PATH; \(words)"],
        input: "Who are you?\n", environment: hub.environment(home: directory.path)
      ).wait(seconds: 300)
      #expect(result.code == 0, "\(words)\n\(result)")
    }
  }

  @Test func `the README has at most 120 lines`() throws {
    let lines = try Files.text(Repository.root + "/README.md").split(
      separator: "\n", omittingEmptySubsequences: false)
    // The last one is what follows the last line feed.
    #expect(lines.count <= 121)
  }
}
