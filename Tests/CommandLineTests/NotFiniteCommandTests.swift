import Checkpoints
import StrictJSON
import TestSupport
import Testing

/// A weight that is no number, or too large, as every command that computes meets it.
struct NotFiniteCommandTests {
  private let directory: TemporaryDirectory
  private let text = Repository.root + "/demo/war-and-peace-begin.txt"
  private let name = "model.layers.2.mlp.up_proj.weight"

  init() throws { directory = try TemporaryDirectory() }

  /// A conversion of the demo model in float32, `name` holding `values` from element 7 on.
  private func planted(_ out: String, _ values: [Float]) throws -> String {
    try Program.run(
      "convert", Repository.tinyQwen2, directory(out), "--dtype", "float32", "--window", "512",
      "--quiet"
    ).succeeded()
    try CheckpointEdit(directory(out)).overwrite(name, element: 7, with: values)
    return directory(out)
  }

  /// The commands that compute with the checkpoint `path`.
  private func commands(_ path: String) -> [[String]] {
    let short = ["--tokens", "1024", "--context", "128"], out = directory("out")
    return [
      ["heal", path, "--teacher", Repository.tinyQwen2, "--text", text, "--output", out] + short
        + ["--method", "ridge"],
      ["heal", path, "--teacher", Repository.tinyQwen2, "--text", text, "--output", out] + short
        + ["--method", "none", "--distill-steps", "1"],
      ["calibrate", path, out, "--text", text, "--samples", "2", "--context", "64"],
      [
        "calibrate", path, out, "--text", text, "--samples", "2", "--context", "64", "--k", "none",
        "--weights", "int8",
      ],
      ["upcycle", path, out, "--experts", "2", "--router", "clustered", "--text", text] + short,
      ["upcycle", path, out, "--carve", "96", "--experts", "12", "--text", text] + short,
      ["upcycle", path, out, "--experts", "2"],
      ["evaluate", path, "--text", text, "--tokens", "256", "--context", "128"],
      ["evaluate", path, "--text", text, "--tokens", "256", "--context", "128", "--json"],
      [
        "evaluate", Repository.tinyQwen2, "--teacher", path, "--text", text, "--tokens", "256",
        "--context", "128",
      ],
      ["generate", path, "--prompt", "The", "--max-tokens", "3"],
      ["logits", path, "--tokens", "1,2", "--output", directory("l.safetensors")],
      ["report", path, "--output", directory("r"), "--text", text, "--tokens", "160"],
      ["export", path, out, "--profile", "hf"],
    ].map { command in
      // What a fit has done before it met the weight stays in a partial directory.
      command + ["--quiet"] + (command.contains(out) ? ["--force"] : [])
    }
  }

  @Test(arguments: [Float.nan, .infinity])
  func `every command names the weight, and leaves nothing`(_ value: Float) throws {
    let path = try planted("c", [value])
    for command in commands(path) {
      // `upcycle` names the expert's part.
      let tensor = command[0] == "upcycle" ? "up_proj.weight" : name
      try Program.run(command).refused(naming: "layers.2", tensor, "\(value)", "[0, 7]")
    }
    #expect(!Files.exist(directory("out")) && !Files.exist(directory("r")))
    let verified = try Program.run("verify", path, "--level", "values")
    #expect(verified.code == 1)
  }

  @Test func `activations that overflow are named by their weight or layer`() throws {
    let path = try planted("c", [Float](repeating: 3e38, count: 384 * 128 - 7))
    for command in commands(path).dropLast() where command[0] != "upcycle" || command.count > 7 {
      try Program.run(command).refused(naming: "float32")
    }
    #expect(!Files.exist(directory("out")) && !Files.exist(directory("l.safetensors")))
  }

  @Test(arguments: ["bfloat16", "float16"])
  func `a cast that overflows is refused`(_ type: String) throws {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    let name = "model.layers.1.mlp.up_proj.weight"
    try CheckpointEdit(directory("s")).overwrite(name, element: 3, with: [3.4e38])
    try Program.run("convert", directory("s"), directory("out"), "--dtype", type)
      .refused(naming: name, "3.4e+38", "[0, 3]", type, "float32")
    #expect(directory.names == ["s"])
    try Program.run("convert", directory("s"), directory("out"), "--dtype", "float32").succeeded()
  }

  @Test(arguments: ["keep", "bfloat16"])
  func `convert refuses a source with a number that is none`(_ type: String) throws {
    try TinyModel.qwen2.synthesize(to: directory("s"))
    let name = "model.layers.1.self_attn.k_proj.weight"
    try CheckpointEdit(directory("s")).overwrite(name, element: 70, with: [.nan])
    try Program.run("convert", directory("s"), directory("out"), "--dtype", type)
      .refused(naming: "k_proj.weight", "nan", "[1, 6]")
    #expect(directory.names == ["s"])
  }
}
