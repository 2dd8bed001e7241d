import StrictJSON
import TestSupport
import Testing

/// `calibrate` as a process.
struct CalibrateCommandTests {
  private let directory: TemporaryDirectory
  private static let text = (0..<400).map { "word\($0 % 37) and so on. " }.joined()

  init() throws {
    directory = try TemporaryDirectory()
    try directory.write("t.txt", Self.text)
  }

  private func calibrate(_ ckpt: String, _ options: [String]) throws -> Program.Result {
    try Program.run(
      [
        "calibrate", ckpt, directory("c"), "--text", directory("t.txt"), "--samples", "3",
        "--context", "64",
      ] + options)
  }

  @Test func `measures, writes, verifies, resumes`() throws {
    let source = Repository.tinyQwen2
    let result = try calibrate(source, ["--kv", "int8", "--json"]).succeeded()
    let json = try result.json()
    let silent = try #require(json["silent_share"]?.double)
    #expect(silent > 0.1 && silent < 0.3)
    #expect(json["layout"]?.string == "spikingbrain")
    let config = try JSONParser.parse(Files.bytes(directory("c/config.json")))
    #expect(config["spiking"]?["kv_cache"]?.string == "int8")
    #expect(config["spiking"]?["layers"]?.array?.first?["q_proj"]?.double == 3)
    let manifest = try JSONParser.parse(Files.bytes(directory("c/manifest.json")))
    #expect(manifest["recipe"]?["measured"]?["silent_share"]?.double == silent)
    #expect(try Files.bytes(directory("c/calibration.h5")).starts(with: [0x89, 0x48, 0x44, 0x46]))

    let verified = try Program.run("verify", directory("c"), "--source", source).succeeded().text
    for words in ["spiking layers: prefill = decode", "spiking state save/restore", "provenance"] {
      #expect(verified.contains(words), "\(verified)")
    }
    let before = try Files.tree(directory("c"))
    #expect(
      try calibrate(source, ["--kv", "int8", "--resume"]).succeeded().text.contains("already"))
    try calibrate(source, ["--kv", "int8", "--force"]).succeeded()
    #expect(try Files.tree(directory("c")) == before)
    try calibrate(source, []).refused(naming: directory("c"), "--force")
  }

  @Test func `a calibrated conversion is no longer healed`() throws {
    try Program.run("convert", Repository.tinyQwen2, directory("s"), "--quiet").succeeded()
    try calibrate(directory("s"), []).succeeded()
    try Program.run(
      "heal", directory("c"), "--teacher", Repository.tinyQwen2, "--text", directory("t.txt"),
      "--output", directory("h")
    ).refused(naming: "spiking thresholds", "before `upcycle` and `calibrate`")
  }

  @Test func `a k changed afterwards is found`() throws {
    try calibrate(Repository.tinyQwen2, []).succeeded()
    let path = directory("c/config.json")
    let text = try Files.text(path).replacing("\"q_proj\": 3.0", with: "\"q_proj\": 4.0")
    try directory.write("c/config.json", text)
    let result = try Program.run("verify", directory("c"), "--source", Repository.tinyQwen2)
    #expect(result.code == 1)
  }

  @Test func `a dry run writes nothing`() throws {
    let text = try calibrate(Repository.tinyQwen2, ["--dry-run"]).succeeded().text
    #expect(text.contains("spikingbrain"))
    #expect(directory.names == ["t.txt"])
  }

  @Test(arguments: [
    (["--k", "0"], ["--k", "0"]), (["--k", "many"], ["--k", "many"]),
    (["--k", "3", "--target-sparsity", "0.7"], ["--k", "auto"]),
    (["--k", "auto", "--target-sparsity", "1.5"], ["--target-sparsity", "1.5"]),
    (["--k", "auto", "--max-ppl-increase=-1"], ["--max-ppl-increase", "-1"]),
    (
      ["--k", "auto", "--target-sparsity", "0.7", "--max-ppl-increase", "3"],
      ["--target-sparsity", "max-ppl-increase"]
    ),
    (["--query-k", "x"], ["--query-k", "x"]), (["--samples", "0"], ["--samples", "0"]),
    (["--context", "1"], ["--context", "1"]),
  ])
  func `bad options are named`(_ options: [String], _ words: [String]) throws {
    try calibrate(Repository.tinyQwen2, options).refused(naming: words)
    #expect(directory.names == ["t.txt"])
  }

  @Test func `a recipe converts, calibrates and verifies`() throws {
    try directory.write(
      "r.yaml",
      """
      steps:
        - convert:
            window: 80
        - calibrate:
            text: t.txt
            samples: 2
            context: 64
            k: 3.5
            kv: int8
        - verify
      """)
    let built = try Program.run(
      "build", directory("r.yaml"), "--source", Repository.tinyQwen2, "--output",
      directory("out")
    ).succeeded()
    #expect(built.text.contains("all checks passed"), "\(built)")
    let config = try JSONParser.parse(Files.bytes(directory("out/config.json")))
    #expect(config["spiking"]?["layers"]?.array?.last?["down_proj"]?.double == 3.5)
    try directory.write("bad.yaml", "steps:\n  - calibrate:\n      k: 0\n")
    try Program.run(
      "build", directory("bad.yaml"), "--source", Repository.tinyQwen2, "--output", directory("x")
    ).refused(naming: "k", "0")
  }
}
