import ArgumentParser
import Foundation
import TestSupport
import Testing

@testable import spikingbrain

/// The whole help text of every subcommand, as it was last agreed to.
struct HelpTests {
  private static let commands = SpikingBrain.configuration.subcommands

  @Test(arguments: commands.indices)
  func `help is as recorded`(_ index: Int) throws {
    let command = Self.commands[index]
    try Snapshot("help/\(command._commandName).txt")
      .require(SpikingBrain.helpMessage(for: command, columns: 80) + "\n")
  }

  @Test func `nothing is recorded of commands that are gone`() throws {
    let names = try FileManager.default.contentsOfDirectory(
      atPath: Snapshot.directory + "/help")
    #expect(Set(names) == Set(Self.commands.map { $0._commandName + ".txt" }))
  }

  @Test func `no line is wider than a terminal`() {
    for command in Self.commands {
      let text = SpikingBrain.helpMessage(for: command, columns: 80)
      for line in text.split(separator: "\n") where !line.hasPrefix("USAGE:") {
        #expect(line.count <= 80, "\(line)")
      }
    }
  }
}
