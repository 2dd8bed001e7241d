import Checkpoints
import Foundation
import TensorTypes
import TestSupport
import Testing

/// `--ignore-tensors`, the same in every command that reads a checkpoint.
struct IgnoredTensorsTests {
  private let directory: TemporaryDirectory
  private var source: String { directory("s") }
  private let option = ["--ignore-tensors", "vision.*,*.extra"]

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("s"))
    try CheckpointEdit(directory("s")).rewrite {
      for name in ["vision.0.w", "vision.1.w", "model.norm.extra"] {
        $0.append(.init(name, shape: [2]))
      }
    }
  }

  @Test func `a conversion records what was left out, and verify agrees`() throws {
    try Program.run("convert", source, directory("o"))
      .refused(naming: "not part of this model", "--ignore-tensors PATTERN")
    let made = try Program.run(["convert", source, directory("o"), "--window", "8"] + option)
    #expect(made.succeeded().error.contains("note: 3 tensors left out by --ignore-tensors"))
    let step = try Manifest(directory: directory("o")).step
    #expect(step?.ignoredTensors == ["vision.*", "*.extra"])
    let verified = try Program.run("verify", directory("o"), "--source", source)
    #expect(verified.succeeded().text.contains("provenance"))
    // Given again it is the source that has them.
    try Program.run(["verify", directory("o"), "--source", source] + option).succeeded()
    try Program.run(["verify", directory("o")] + option)
      .refused(naming: directory("o"), "vision.*", "matches no tensor")
    // The same run is finished, one that leaves out something else is another.
    try Program.run(["convert", source, directory("o"), "--window", "8", "--resume"] + option)
      .succeeded()
  }

  @Test func `what is made of it knows of it`() throws {
    let source = directory("q")
    try FileManager.default.copyItem(atPath: Repository.tinyQwen2, toPath: source)
    try CheckpointEdit(source).rewrite { $0.append(.init("vision.0.w", shape: [2])) }
    try Program.run(
      "convert", source, directory("o"), "--window", "64", "--ignore-tensors", "vision.*"
    ).succeeded()
    let healed = try Program.run(
      "heal", directory("o"), "--teacher", source, "--output", directory("h"), "--text",
      Repository.root + "/demo/war-and-peace-begin.txt", "--tokens", "512", "--context", "64",
      "--method", "ridge")
    #expect(healed.succeeded().error.contains("note: 1 tensor left out by --ignore-tensors"))
    let steps = try Manifest(directory: directory("h")).steps
    #expect(steps.map(\.ignoredTensors) == [["vision.*"], ["vision.*"]])
    try Program.run("verify", directory("h"), "--source", source).succeeded()
  }

  @Test(arguments: [
    ["inspect"], ["verify"], ["logits", "--tokens", "1,2", "--output", "l"],
    ["bench", "--prefill", "4", "--decode", "1", "--at", "4"],
    ["export", "x", "--profile", "hf"],
  ])
  func `it is the same everywhere`(_ command: [String]) throws {
    let outputs: Set = ["x", "l"]
    let rest = command.dropFirst().map { outputs.contains($0) ? directory($0) : $0 }
    let run = [command[0], source] + rest
    #expect(try Program.run(run).code != 0)
    try Program.run(run + ["--ignore-tensors", "nothing.*"])
      .refused(naming: source, "nothing.*", "matches no tensor")
    try Program.run(run + ["--ignore-tensors", "model.norm.*"])
      .refused(naming: source, "model.norm.weight", "which the model needs")
    try Program.run(run + ["--ignore-tensors", "vision.*", "--ignore-tensors", "*.extra"])
      .succeeded()
  }

  @Test func `of two checkpoints it has to match in one`() throws {
    try TinyModel.llama.synthesize(to: directory("t"))
    let run = ["diff", directory("t"), source]
    try Program.run(run + option).succeeded()
    try Program.run(["diff", source, directory("t")] + option).succeeded()
    try Program.run(run + option + ["--ignore-tensors", "nothing.*"])
      .refused(naming: "nothing.*", "matches no tensor")
    #expect(try Program.run(run + ["--ignore-tensors", "a,,b"]).code == 64)
  }

  @Test func `a recipe's source`() throws {
    let recipe = try directory.write(
      "r.yaml", "source: s\nsteps:\n  - convert: {window: 8}\n  - verify: {}\n")
    try Program.run(["build", recipe, "--output", directory("o")] + option).succeeded()
    #expect(try Manifest(directory: directory("o")).step?.ignoredTensors.count == 2)
  }
}
