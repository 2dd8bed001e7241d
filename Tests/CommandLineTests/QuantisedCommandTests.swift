import TestSupport
import Testing

/// `calibrate --weights int8` and `int4` as a user runs them, and what `verify` finds in damaged results.
struct QuantisedCommandTests {
  private let directory: TemporaryDirectory
  private static let text = Repository.root + "/demo/pride-and-prejudice-end.txt"
  private static let weight = "model.layers.1.mlp.up_proj.weight"

  init() throws { directory = try TemporaryDirectory() }

  private func quantise(_ codes: String = "int8", _ options: String...) throws {
    try Program.run(
      [
        "calibrate", Repository.tinyQwen2, directory("q"), "--text", Self.text, "--samples", "2",
        "--context", "64", "--weights", codes, "--quiet",
      ] + options
    ).succeeded()
  }

  @Test(arguments: ["int8", "int4"])
  func `weights as integers verify, run, leave and say what they are`(_ codes: String) throws {
    try quantise(codes, "--rounding", "search")
    let report = try Program.run("verify", directory("q"), "--level", "logits").succeeded()
    #expect(report.text.contains("ok    values"))
    let shown = try Program.run("inspect", directory("q")).succeeded()
    #expect(shown.text.contains("\(codes.uppercased()) weights, group 128"))
    try Program.run(
      "generate", directory("q"), "--prompt", "It is", "--max-tokens", "3"
    ).succeeded()
    try Program.run("upcycle", directory("q"), directory("u")).refused(naming: "integers already")
    try Program.run(
      "calibrate", directory("q"), directory("again"), "--text", Self.text, "--weights", "int8"
    ).refused(naming: "integers already")
    #expect(directory.names == ["q"])
    for profile in ["gguf", "w8a16-g128"] + (codes == "int4" ? ["w4a16-g128"] : []) {
      try Program.run(
        "export", directory("q"), directory(profile), "--profile", profile, "--dtype", "bfloat16",
        "--quiet"
      ).succeeded()
      try Program.run("verify", directory(profile), "--source", directory("q")).succeeded()
    }
  }

  @Test func `verify names bad codes and scales`() throws {
    try quantise("int8", "--rounding", "nearest", "--group-size", "channel")
    let edit = CheckpointEdit(directory("q"))
    let codes = try edit.bytes(of: Self.weight)
    try edit.overwrite(Self.weight, at: 3, with: [0x80])
    try edit.remakeManifest()
    try expectFailure("values", Self.weight, "-128", "[0, 3]")
    try edit.overwrite(Self.weight, with: codes)
    for (value, words) in [(Float(0), "scale 0.0"), (-1, "scale -1.0"), (.nan, "nan")] {
      try edit.overwrite(Self.weight + "_scale", element: 2, with: [value])
      try edit.remakeManifest()
      try expectFailure("values", Self.weight + "_scale", words)
    }
  }

  private func expectFailure(_ words: String...) throws {
    let result = try Program.run("verify", directory("q"))
    #expect(result.code == 1)
    for word in words { #expect(result.text.contains(word), "\(word) in \(result.text)") }
  }
}
