import Foundation
import TestSupport
import Testing

/// What the README says can be typed.
struct ReadmeTests {
  /// The commands of the block that works on one's own checkpoint, without their comments.
  private static func commands() throws -> [String] {
    let text = try Files.text(Repository.root + "/README.md")
    let block = text.components(separatedBy: "```").first { $0.hasPrefix("\n# CKPT is your") }
    return try #require(block).split(separator: "\n").map(String.init)
      .filter { $0.hasPrefix("spikingbrain ") }
  }

  @Test func `each command works as written, in order`() throws {
    let commands = try Self.commands()
    #expect(commands.count > 10)
    let directory = try TemporaryDirectory()
    for (name, target) in [
      ("CKPT", Repository.tinyQwen2), ("recipes", Repository.root + "/recipes"),
      ("demo", Repository.root + "/demo"),
      ("book.txt", Repository.root + "/demo/war-and-peace-begin.txt"),
    ] {
      try FileManager.default.createSymbolicLink(
        atPath: directory(name), withDestinationPath: target)
    }
    let program = URL(fileURLWithPath: Program.path).deletingLastPathComponent().path
    for command in commands {
      let result = try RunningProgram(
        "/bin/bash", ["-c", "cd '\(directory.path)'; PATH='\(program)':$PATH; \(command)"]
      ).wait(seconds: 300)
      #expect(result.code == 0, "\(command)\n\(result)")
    }
  }
}
