import Foundation
import TestSupport
import Testing

/// Recipes that are interrupted, and what lies where their stages go.
struct BuildResumeTests {
  private let directory: TemporaryDirectory
  private var out: String { directory("out") }

  init() throws {
    directory = try TemporaryDirectory()
    try writeRecipe(window: 128, experts: 2)
  }

  private func writeRecipe(window: Int, experts: Int) throws {
    try directory.write(
      "r.yaml",
      """
      steps:
        - convert:
            window: \(window)
        - upcycle:
            experts: \(experts)
        - verify
      """)
  }

  private func build(_ options: String...) throws -> Program.Result {
    try Program.run(
      [
        "build", directory("r.yaml"), "--source", Repository.tinyQwen2, "--output", out, "--quiet",
      ] + options)
  }

  /// Leaves what a run leaves that was killed in its second step.
  private func interrupt() throws {
    try Program.run(
      "convert", Repository.tinyQwen2, out + ".step1", "--window", "128", "--quiet"
    ).succeeded()
  }

  @Test func `go on with resume, and are told so`() throws {
    try build().succeeded()
    let whole = try Files.tree(out)
    try build().refused(naming: "out: already exists", "--force")
    try build("--resume").succeeded()
    try Files.remove(out)
    try interrupt()
    let again = try build()
    again.refused(naming: "out.step1: is left from an interrupted run", "go on with --resume")
    let resumed = try build("--resume").succeeded()
    #expect(resumed.text.contains("out.step1 is already complete"))
    #expect(resumed.text.contains("all checks passed"))
    #expect(try Files.tree(out) == whole)
    #expect(directory.names == ["out", "r.yaml"])
  }

  @Test func `do not go on with the stages of another recipe`() throws {
    try interrupt()
    try writeRecipe(window: 64, experts: 2)
    try build("--resume").refused(naming: "out.step1", "--window was 128, is 64")
    try build("--force").succeeded()
    // Nor is a finished output that of another recipe.
    for (window, experts, difference) in [
      (32, 2, "--window was 64, is 32"), (64, 3, "--experts was 2, is 3"),
    ] {
      try writeRecipe(window: window, experts: experts)
      try build("--resume").refused(
        naming: "out: already exists, and was made differently", difference)
    }
    try Program.run("convert", Repository.tinyQwen2, directory("c"), "--quiet").succeeded()
    try Program.run(
      "convert", Repository.tinyQwen2, directory("c"), "--dtype", "float32", "--resume"
    )
    .refused(naming: "was made differently: --dtype was keep, is float32")
    try Files.remove(directory("c"))
  }

  @Test(arguments: ["out.step1", "out.partial", "out.step1.partial"])
  func `leave alone what is not theirs`(_ name: String) throws {
    try directory.write("\(name)/notes.txt", "theirs")
    for option in ["--quiet", "--resume", "--force"] {
      try build(option).refused(naming: name, "not an output of this program")
    }
    #expect(try Files.text(directory("\(name)/notes.txt")) == "theirs")
    #expect(directory.names == [name, "r.yaml"])
  }
}
