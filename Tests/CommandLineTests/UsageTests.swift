import TestSupport
import Testing

/// Help, and what is wrong with a command line itself.
struct UsageTests {
  @Test(arguments: subcommands)
  func `help exits 0 and describes every option`(_ subcommand: String) throws {
    let result = try Program.run(subcommand, "--help").succeeded()
    #expect(result.text.contains("USAGE: spikingbrain \(subcommand)"))
    #expect(result.text.contains("OVERVIEW: "))
    #expect(result.error.isEmpty)
  }

  @Test func `the program's help lists every subcommand`() throws {
    let text = try Program.run("--help").succeeded().text
    for subcommand in subcommands { #expect(text.contains("  \(subcommand) ")) }
    #expect(try Program.run().text == text)
  }

  @Test func `the version is one line`() throws {
    let text = try Program.run("--version").succeeded().text
    #expect(text.split(separator: ".").count == 3)
    #expect(text.split(separator: "\n").count == 1)
  }

  @Test func `a misspelt subcommand is answered with the nearest one`() throws {
    let result = try Program.run("convrt", "a", "b")
    #expect(result.code == 64)
    #expect(result.error.contains("Unknown subcommand 'convrt'. Did you mean 'convert'?"))
    #expect(try Program.run("summarise").error.contains("Did you mean") == false)
  }

  @Test(arguments: [
    ["bake"], ["convert"], ["convert", "a"], ["convert", "a", "b", "c"],
    ["convert", "a", "b", "--colour"], ["convert", "a", "b", "--window", "many"],
    ["convert", "a", "b", "--layout", "round"], ["convert", "a", "b", "--dtype", "int4"],
    ["convert", "a", "b", "--attention-layers", "even"],
    ["convert", "a", "b", "--full-attention-layers", "3-1"],
    ["convert", "a", "b", "--resume", "--force"], ["convert", "a", "b", "--jobs", "0"],
    ["convert", "a", "b", "--max-ram", "lots"], ["convert", "a", "b", "--shard-size", "-1"],
    ["convert", "a", "b", "--seed", "-1"], ["verify", "a", "--level", "deep"],
    ["logits", "a", "--tokens", "1"],
    ["bench", "a", "--decode", "x"], ["build"], ["synthesize", "a"],
    ["synthesize", "a", "b", "--dtype", "int8"], ["export", "a", "b"],
    ["export", "a", "b", "--profile", "hf", "--dtype", "int8"],
    ["upcycle", "a", "b", "--dense-layers", "all"], ["convert", "a", "b", "--sink-token", "x"],
    ["calibrate", "a", "b", "--text", "c", "--k", "many"],
    ["calibrate", "a", "b", "--text", "c", "--query-k", "x"],
    ["calibrate", "a", "b", "--text", "c", "--weights", "int8", "--group-size", "100"],
    ["calibrate", "a", "b", "--text", "c", "--weights", "int8", "--group-size", "row"],
  ])
  func `a wrong command line exits 64 and shows the usage`(_ arguments: [String]) throws {
    let result = try Program.run(arguments)
    #expect(result.code == 64, "\(result)")
    #expect(result.error.contains("Usage: spikingbrain"))
    #expect(result.output.isEmpty)
  }
}
