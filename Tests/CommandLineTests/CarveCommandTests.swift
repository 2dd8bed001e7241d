import Foundation
import StrictJSON
import TestSupport
import Testing

/// `upcycle --carve` as a process.
struct CarveCommandTests {
  private let directory: TemporaryDirectory
  private let text = Repository.root + "/demo/war-and-peace-begin.txt"

  init() throws { directory = try TemporaryDirectory() }

  private func carve(to name: String, _ options: String...) -> [String] {
    [
      "upcycle", Repository.tinyQwen2, directory(name), "--carve", "96", "--experts", "12",
      "--top-k", "4", "--dense-layers", "0,2-7", "--tokens", "1024", "--context", "128",
    ] + options
  }

  @Test func `carves, records, verifies, inspects`() throws {
    let result = try Program.run(carve(to: "u", "--text", text)).succeeded()
    for words in ["layer 1: ", "tokens per expert", "192 of the 384 neurons", "(50 %)"] {
      #expect(result.error.contains(words), "\(result)")
    }
    #expect(result.text.contains("logits differ from the dense model's"))
    let manifest = try JSONParser.parse(Files.bytes(directory("u/manifest.json")))
    let layers = try #require(manifest["recipe"]?["fit"]?["layers"]?.array)
    #expect(layers.map { $0["layer"]?.int } == [1])
    #expect(layers[0]["neurons"]?.array?.compactMap(\.int).sorted() == Array(0..<384))
    let verified = try Program.run(
      "verify", directory("u"), "--source", Repository.tinyQwen2
    ).succeeded()
    for words in ["1 tensor fitted to neurons", "byte for byte", "all checks passed"] {
      #expect(verified.text.contains(words), "\(verified)")
    }
    let inspected = try Program.run("inspect", directory("u"), "--json").json()
    #expect(
      inspected["feed_forward"]?.array?[1].string
        == "12 + 1 experts of 24 (shared 96), top 4, weights 1")
    let dense = try Program.run("inspect", Repository.tinyQwen2, "--json").json()
    let total = try #require(inspected["parameters"]?.int)
    let active = try #require(inspected["active_parameters"]?.int)
    let denseTotal = try #require(dense["parameters"]?.int)
    #expect(total == denseTotal + 12 * 128)
    #expect(total - active == 8 * 3 * 24 * 128)
    // The shared expert is wider than a routed one; both come back from ranks.
    for profile in ["megatron-torch", "megatron-dist"] {
      let exported = try Program.run(
        "export", directory("u"), directory(profile), "--profile", profile, "--tp", "2", "--ep", "3"
      ).succeeded()
      #expect(exported.error.contains("Experts are weighted by 1 here"), "\(exported)")
      let whole = try Program.run(
        "verify", directory(profile), "--source", directory("u")
      ).succeeded()
      #expect(whole.text.contains("all checks passed"), "\(whole)")
    }
    try Program.run(
      "export", directory("u"), directory("no"), "--profile", "megatron-torch", "--tp", "4",
      "--ep", "3"
    ).refused(naming: "--tp")
    // Finished already, and the same again.
    let before = try Files.tree(directory("u"))
    try Program.run(carve(to: "u", "--text", text, "--force")).succeeded()
    #expect(try Files.tree(directory("u")) == before)
  }

  @Test func `a recipe carves what it converted`() throws {
    try directory.write(
      "r.yaml",
      """
      source: \(Repository.tinyQwen2)
      steps:
        - convert: {window: 80, attention-layers: 0-7}
        - upcycle:
            carve: 192
            experts: 8
            top-k: 4
            dense-layers: 0-6
            text: \(text)
            tokens: 1024
            context: 128
        - verify
      """)
    let arguments = ["build", directory("r.yaml"), "--output", directory("out")]
    let planned = try Program.run(arguments + ["--dry-run", "--json"]).json()
    let built = try Program.run(arguments).succeeded()
    #expect(built.text.contains("all checks passed"), "\(built)")
    let inspected = try Program.run("inspect", directory("out"), "--json").json()
    let step = try #require(
      planned["steps"]?.array?.first { $0["step"]?.string == "upcycle" })
    #expect(inspected["parameters"] == step["parameters"])
    #expect(inspected["active_parameters"] == step["active_parameters"])
    // What a run that ended has removed is not made again.
    let again = try Program.run(arguments + ["--resume"]).succeeded()
    #expect(!again.text.contains("== convert") && !again.text.contains("== upcycle"), "\(again)")
    #expect(again.text.contains("== verify \(directory("out"))"))
    #expect(directory.names == ["out", "r.yaml"])
  }

  @Test func `a recipe may begin with carving and train the experts`() throws {
    try directory.write(
      "r.yaml",
      """
      source: \(Repository.tinyQwen2)
      steps:
        - upcycle: {carve: 96, experts: 12, top-k: 4, dense-layers: 0-6, text: \(text), tokens: 1024, context: 128}
        - heal: {method: none, distill-scope: experts, distill-steps: 2, text: \(text), tokens: 1024, context: 128}
        - verify
      """)
    let arguments = ["build", directory("r.yaml"), "--output", directory("out")]
    let planned = try Program.run(arguments + ["--dry-run"]).succeeded()
    #expect(planned.text.contains("for 2 steps of the second stage"), "\(planned)")
    try Program.run(arguments).succeeded()
    #expect(directory.names == ["out", "r.yaml"])
  }

  @Test func `experts are trained end to end, resumed, verified`() throws {
    try Program.run(carve(to: "u", "--text", text)).succeeded()
    let arguments = [
      "heal", directory("u"), "--teacher", Repository.tinyQwen2, "--text", text, "--tokens", "8192",
      "--context", "128", "--method", "none", "--distill-scope", "experts", "--distill-steps", "6",
      "--output",
    ]
    let healed = try Program.run(arguments + [directory("h")]).succeeded()
    #expect(healed.error.contains("second stage: 6 steps, held-out divergence"))
    #expect(!healed.error.contains("left out"), "\(healed.error)")
    let running = try RunningProgram(Program.path, arguments + [directory("again")])
    let mark = directory("again.partial/.work/distill.json")
    while !running.hasEnded && !Files.exist(mark) { usleep(200) }
    let killed = try #require(running.kill())
    #expect(killed.code == -9, "the run was over before it was killed")
    try Program.run(arguments + [directory("again"), "--resume"]).succeeded()
    #expect(try Files.tree(directory("again")) == Files.tree(directory("h")))
    let verified = try Program.run(
      "verify", directory("h"), "--source", Repository.tinyQwen2
    ).succeeded()
    for words in ["13 tensors healed", "1 tensor fitted to neurons", "10 checks passed"] {
      #expect(verified.text.contains(words), "\(verified)")
    }
    let stage = try Program.run("verify", directory("h"), "--source", directory("u"))
    #expect(stage.code == 1 && stage.text.contains("give what `upcycle` read"), "\(stage)")
    try Program.run(
      "heal", directory("u"), "--teacher", Repository.tinyQwen2, "--text", text, "--output",
      directory("no"), "--distill-steps", "6", "--distill-scope", "experts"
    ).refused(naming: "experts", "--method none")
    try Program.run(
      "heal", Repository.tinyQwen2, "--teacher", Repository.tinyQwen2, "--text", text, "--output",
      directory("no"), "--method", "none", "--distill-scope", "experts", "--distill-steps", "6"
    ).refused(naming: "no experts")
    try Program.run(arguments + [directory("no"), "--time-limit", "1"])
      .refused(naming: "--time-limit")
    // Attention of a model without linear layers is trained when that is asked for.
    let attention = try Program.run(
      arguments + [directory("no"), "--distill-scope", "attention", "--dry-run"])
    #expect(attention.code == 0, "\(attention)")
    #expect(directory.names == ["again", "h", "u"])
  }

  @Test func `bad input is refused before anything is written`() throws {
    try Program.run(carve(to: "u")).refused(naming: "--text", "carve")
    let cases: [([String], [String])] = [
      (["--carve", "100"], ["284 neurons", "12 experts", "96"]),
      (["--carve", "0"], ["--carve", "1 or more"]),
      (["--carve", "380"], ["384 neurons", "too few"]),
      (["--carve", "9223372036854775807"], ["--carve", "9223372036854775807"]),
      (["--top-k", "13"], ["--top-k", "1 to 12"]),
      (["--shared", "2"], ["--shared", "carve"]),
      (["--router", "clustered"], ["--router", "carve"]),
      (["--scale", "cuberoot"], ["--scale", "carve"]),
      (["--teacher", Repository.tinyQwen2], ["--teacher", "clustered"]),
      (["--tokens", "400"], ["tokens", "512"]),
    ]
    for (options, words) in cases {
      try Program.run(carve(to: "u", "--text", text) + options).refused(naming: words)
    }
    try Program.run(
      "calibrate", Repository.tinyQwen2, directory("spiked"), "--text", text, "--samples", "1",
      "--context", "32", "--quiet"
    ).succeeded()
    try Program.run(
      "upcycle", directory("spiked"), directory("u"), "--carve", "96", "--experts", "12",
      "--text", text
    ).refused(naming: "spiked activations", "calibrate")
    #expect(directory.names == ["spiked"])
  }
}
