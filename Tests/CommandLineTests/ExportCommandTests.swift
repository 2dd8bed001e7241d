import StrictJSON
import TestSupport
import Testing

/// `export` as a user runs it, and what `verify` finds in damaged results.
struct ExportCommandTests {
  private let directory: TemporaryDirectory
  private static let text = Repository.root + "/demo/pride-and-prejudice-end.txt"
  private static let tiny = Repository.tinyQwen2

  init() throws { directory = try TemporaryDirectory() }

  private func export(_ ckpt: String, _ profile: String, _ more: String...) throws -> Program.Result
  {
    try Program.run(["export", ckpt, directory("x"), "--profile", profile] + more)
  }

  private func expectFailure(_ words: String...) throws {
    let result = try Program.run("verify", directory("x"))
    #expect(result.code == 1, "\(result)")
    for word in words { #expect(result.text.contains(word), "\(word) in \(result.text)") }
  }

  @Test func `a source leaves, verifies, resumes, in shards`() throws {
    try export(Self.tiny, "hf", "--shard-size", "1MB").succeeded()
    let verified = try Program.run("verify", directory("x"), "--source", Self.tiny).succeeded()
    #expect(verified.text.contains("98 tensors copied byte for byte"))
    #expect(verified.text.contains("largest difference 0.0e+00"))
    #expect(try export(Self.tiny, "hf", "--shard-size", "1MB", "--resume").text.contains("already"))
    try export(Self.tiny, "hf").refused(naming: directory("x"), "--force")
    let manifest = try JSONParser.parse(Files.bytes(directory("x/manifest.json")))
    #expect(manifest["recipe"]?["settings"]?["profile"]?.string == "hf")
    #expect((manifest["files"]?.array?.count ?? 0) > 5)
  }

  @Test func `a dry run writes nothing, notes are printed and recorded`() throws {
    let dry = try export(Self.tiny, "w8a8", "--dry-run", "--json").json()
    let notes = try #require(dry["notes"]?.array)
    #expect(notes.count == 2 && directory.names.isEmpty)
    let result = try export(Self.tiny, "w8a8").succeeded()
    for note in notes { #expect(result.error.contains(note.string ?? "-")) }
    let manifest = try JSONParser.parse(Files.bytes(directory("x/manifest.json")))
    #expect(manifest["recipe"]?["notes"]?.array == notes)
    let shown = try Program.run("inspect", directory("x")).succeeded()
    #expect(shown.text.contains("compressed-tensors int-quantized"))
    #expect(shown.text.contains("not here"))
  }

  @Test func `bad input is refused with what it is about`() throws {
    try export(Self.tiny, "w8aspik").refused(naming: "w8aspik", "did you mean w8aspike?")
    try export(Self.tiny, "w8aspike").refused(naming: Self.tiny, "full-attention layers")
    try export(Self.tiny, "hf", "--pp", "2").refused(naming: "hf", "--pp")
    try export(Self.tiny, "vllm", "--tp", "3").refused(naming: "vllm", "3 ranks", "--tp can be 1")
    try export(Self.tiny, "hf", "--tp", "0").refused(naming: "tp", "0")
    try export(directory("none"), "hf").refused(naming: directory("none"))
    #expect(directory.names.isEmpty)
  }

  @Test func `calibrated INT8 codes come back from W8ASpike`() throws {
    try Program.run("convert", Self.tiny, directory("c"), "--window", "80", "--quiet").succeeded()
    try Program.run(
      "calibrate", directory("c"), directory("q"), "--text", Self.text, "--samples", "2",
      "--context", "64", "--weights", "int8", "--rounding", "nearest", "--quiet"
    ).succeeded()
    try export(directory("q"), "w8aspike").succeeded()
    let verified = try Program.run("verify", directory("x"), "--source", directory("q")).succeeded()
    #expect(verified.text.contains("56 projections have the codes of the source, scales to 0.0"))
    try Program.run(
      "evaluate", directory("x"), "--text", Self.text, "--tokens", "200", "--context", "100"
    ).succeeded()
    try Program.run("convert", directory("x"), directory("y")).refused(naming: "already converted")
    try export(directory("q"), "hf", "--force", "--code", "upstream")
      .refused(naming: "INT8 weights", "w8aspike")

    let edit = CheckpointEdit(directory("x"))
    let weight = "model.layers.1.attn.v_proj.weight", scales = weight + "_quantizer.scales"
    let sound = try edit.floats(scales)
    for (value, words) in [(Float(0), "scale 0.0"), (-1, "scale -1.0"), (.nan, "scale nan")] {
      try edit.overwrite(scales, element: 5, with: [value])
      try edit.remakeManifest()
      try expectFailure("values", scales, words)
    }
    // What a scale that was never stored would be: the weight becomes zero without an error.
    try edit.overwrite(scales, with: [Float](repeating: 1e6, count: sound.count))
    try edit.remakeManifest()
    try expectFailure("values", weight, "rounded to zeros")
    try edit.overwrite(scales, with: sound)
    let values = try edit.floats(weight)
    try edit.overwrite(weight, element: 9, with: [values[9] + sound[0]])
    try edit.remakeManifest()
    let result = try Program.run("verify", directory("x"), "--source", directory("q"))
    #expect(result.code == 1 && result.text.contains(weight), "\(result)")
  }

  @Test func `packed codes come back, damage is found`() throws {
    try export(Self.tiny, "w8a16-g128").succeeded()
    let verified = try Program.run("verify", directory("x"), "--source", Self.tiny).succeeded()
    #expect(verified.text.contains("56 projections were rounded by the export"))
    try CheckpointEdit(directory("x")).overwrite(
      "model.layers.3.mlp.up_proj.weight_packed", at: 7, with: [0x11])
    try expectFailure("hashes", "model.safetensors")
  }

  @Test func `GGUF parts verify, resume and are tampered with`() throws {
    try Program.run("convert", Self.tiny, directory("c"), "--window", "80", "--quiet").succeeded()
    try export(directory("c"), "gguf", "--shard-size", "1MB").succeeded()
    let verified = try Program.run("verify", directory("x"), "--source", directory("c")).succeeded()
    #expect(verified.text.contains("tensors copied byte for byte"), "\(verified)")
    #expect(verified.text.contains("largest difference 0.0e+00"), "\(verified)")
    #expect(
      try export(directory("c"), "gguf", "--shard-size", "1MB", "--resume").text.contains("already")
    )
    func ids(_ ckpt: String) throws -> String {
      try Program.run("tokenize", ckpt, input: "It is a truth, acknowledged.").succeeded().text
    }
    #expect(try ids(directory("x")) == ids(Self.tiny))
    let shown = try Program.run("inspect", directory("x")).succeeded()
    #expect(shown.text.contains("gguf, ") && shown.text.contains("gla_swa"), "\(shown)")
    let file = try #require(
      Files.tree(directory("x")).keys.sorted().first { $0.hasSuffix(".gguf") })
    var bytes = try Files.bytes(directory("x/\(file)"))
    bytes[bytes.count - 40] ^= 1
    try directory.write("x/\(file)", bytes)
    try expectFailure("hashes", file)
    try Files.remove(directory("x/\(file)"))
    try Program.run("verify", directory("x")).refused(naming: directory("x"))
  }

  @Test func `INT8 codes come back from GGUF`() throws {
    try Program.run("convert", Self.tiny, directory("c"), "--window", "80", "--quiet").succeeded()
    try Program.run(
      "calibrate", directory("c"), directory("q"), "--text", Self.text, "--samples", "2",
      "--context", "64", "--weights", "int8", "--rounding", "nearest", "--quiet"
    ).succeeded()
    try export(directory("q"), "gguf").succeeded()
    let verified = try Program.run("verify", directory("x"), "--source", directory("q")).succeeded()
    #expect(verified.text.contains("56 projections have the codes of the source"), "\(verified)")
    try Program.run(
      "generate", directory("x"), "--prompt", "It is", "--max-tokens", "2"
    ).succeeded()
  }

  @Test func `a recipe converts, exports and verifies`() throws {
    try directory.write(
      "r.yaml",
      """
      steps:
        - convert:
            window: 80
        - export:
            profile: w8a16-g128
        - verify
      """)
    let built = try Program.run(
      "build", directory("r.yaml"), "--source", Self.tiny, "--output", directory("out")
    ).succeeded()
    #expect(built.text.contains("all checks passed"), "\(built)")
    try directory.write("bad.yaml", "steps:\n  - convert\n  - export:\n      profile: w9\n")
    try Program.run(
      "build", directory("bad.yaml"), "--source", Self.tiny, "--output", directory("y")
    ).refused(naming: "w9")
    #expect(!directory.names.contains { $0.hasPrefix("y") })
  }
}
