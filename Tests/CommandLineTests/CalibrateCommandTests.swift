import Foundation
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
    let inspected = try Program.run("inspect", directory("c")).succeeded().text
    #expect(inspected.contains("nats per token from the unspiked model"))
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

  @Test func `equal inputs give equal bytes, wherever and whenever they were made`() throws {
    var trees: [[String: [UInt8]]] = []
    for (name, age) in [("a", 0.0), ("elsewhere/b", -1e6)] {
      try directory.write(name + "/x", "")
      try Files.remove(directory(name))
      try Files.copy(Repository.tinyQwen2, to: directory(name))
      for file in try Files.tree(directory(name)).keys {
        try FileManager.default.setAttributes(
          [.modificationDate: Date() + age], ofItemAtPath: directory("\(name)/\(file)"))
      }
      try calibrate(directory(name), []).succeeded()
      trees.append(try Files.tree(directory("c")))
      try Files.remove(directory("c"))
    }
    #expect(trees[0] == trees[1])
  }

  @Test func `a calibrated conversion is no longer healed`() throws {
    try Program.run("convert", Repository.tinyQwen2, directory("s"), "--quiet").succeeded()
    try calibrate(directory("s"), []).succeeded()
    try Program.run(
      "heal", directory("c"), "--teacher", Repository.tinyQwen2, "--text", directory("t.txt"),
      "--output", directory("h")
    ).refused(naming: "spiking thresholds", "before `calibrate`")
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
    (["--k", "0"], ["--k", "0"]),
    (["--k", "3", "--target-sparsity", "0.7"], ["--target-sparsity", "k is auto"]),
    (["--k", "auto", "--target-sparsity", "1.5"], ["--target-sparsity", "1.5"]),
    (["--k", "auto", "--max-ppl-increase=-1"], ["--max-ppl-increase", "-1"]),
    (
      ["--k", "auto", "--target-sparsity", "0.7", "--max-ppl-increase", "3"],
      ["--target-sparsity", "max-ppl-increase"]
    ),
    (["--samples", "0"], ["--samples", "0"]),
    (["--context", "1"], ["--context", "1"]),
    (["--winners", "0"], ["--winners", "0"]), (["--winners", "1.5"], ["--winners", "1.5"]),
    (["--winners", "-0.1"], ["--winners", "-0.1"]), (["--winners", "nan"], ["--winners", "nan"]),
    (["--k", "none"], ["--k", "none", "weights int8", "winners"]),
    (
      ["--k", "none", "--max-ppl-increase", "3", "--winners", "0.5"],
      ["--max-ppl-increase", "k is auto"]
    ),
    (["--rounding", "search"], ["--rounding", "search", "only with weights int8"]),
    (["--group-size", "64"], ["--group-size", "64", "only with weights int8"]),
  ])
  func `bad options are named`(_ options: [String], _ words: [String]) throws {
    try calibrate(Repository.tinyQwen2, options).refused(naming: words)
    #expect(directory.names == ["t.txt"])
  }

  @Test func `winners are written, run, shown and verified`() throws {
    let source = Repository.tinyQwen2
    let report = try calibrate(
      source, ["--winners", "0.25", "--compression", "zstd", "--json"]
    ).succeeded().json()
    let divergence = try #require(report["kl"]?.double)
    #expect(divergence > 0.01)
    #expect(try #require(report["silent_share"]?.double) > 0.35)
    let path = directory("c/config.json")
    let config = try JSONParser.parse(Files.bytes(path))
    #expect(config["spiking"]?["winners"]?.double == 0.25)
    let verified = try Program.run("verify", directory("c"), "--source", source).succeeded().text
    #expect(verified.contains("all checks passed"), "\(verified)")
    #expect(try Program.run("inspect", directory("c")).succeeded().text.contains("winners 0.25"))
    let changed = try Files.text(path).replacing("\"winners\": 0.25", with: "\"winners\": 0.5")
    try directory.write("c/config.json", changed)
    try CheckpointEdit(directory("c")).remakeManifest()
    let result = try Program.run("verify", directory("c"), "--source", source)
    #expect(result.code == 1)
    #expect(result.text.contains("keeps 0.5 of the channels"), "\(result.text)")
  }

  @Test func `winners alone spike nothing, and keep the type that is asked for`() throws {
    let source = Repository.tinyQwen2
    try calibrate(source, ["--k", "none", "--winners", "0.5", "--dtype", "float32"]).succeeded()
    let config = try JSONParser.parse(Files.bytes(directory("c/config.json")))
    #expect(config["torch_dtype"] == "float32")
    #expect(config["spiking"]?["winners"]?.double == 0.5)
    #expect(config["spiking"]?["layers"]?.array?.allSatisfy { $0 == [:] } == true)
    #expect(!Files.exist(directory("c/calibration.h5")))
    let verified = try Program.run("verify", directory("c"), "--source", source).succeeded().text
    #expect(verified.contains("all checks passed"), "\(verified)")
    // INT8 weights alone leave the model unspiked, and keep the type, too.
    try calibrate(
      source,
      [
        "--k", "none", "--weights", "int8", "--rounding", "nearest", "--dtype", "float32",
        "--force",
      ]
    ).succeeded()
    let int8 = try JSONParser.parse(Files.bytes(directory("c/config.json")))
    #expect(int8["spiking"] == nil && int8["torch_dtype"] == "float32")
    try Program.run("verify", directory("c"), "--source", source).succeeded()
  }

  @Test func `a dry run says what is there and what would be written`() throws {
    try directory.write("c/keep", "")
    let options = ["--weights", "int8", "--k", "auto", "--dry-run"]
    let text = try calibrate(Repository.tinyQwen2, options).succeeded().text
    for words in ["(exists: --force replaces it)", "INT8, group 128", "k auto"] {
      #expect(text.contains(words), "\(text)")
    }
    #expect(directory.names == ["c", "t.txt"])
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
            weights: int8
            group-size: 64
            rounding: nearest
            winners: 0.5
            compression: zstd
        - verify
      """)
    let built = try Program.run(
      "build", directory("r.yaml"), "--source", Repository.tinyQwen2, "--output",
      directory("out")
    ).succeeded()
    #expect(built.text.contains("10 checks passed, 1 skipped"), "\(built)")
    let config = try JSONParser.parse(Files.bytes(directory("out/config.json")))
    #expect(config["spiking"]?["layers"]?.array?.last?["down_proj"]?.double == 3.5)
    #expect(config["spiking"]?["winners"]?.double == 0.5)
    #expect(config["quantization"]?["group_size"] == 64)
    for (line, words) in [
      ("k: 0", ["k", "0"]), ("winners: 0", ["winners", "0"]), ("winers: 0.5", ["winners"]),
      ("weights: int3", ["weights", "int3"]), ("group-size: 64", ["only with weights int8"]),
      ("rounding: search", ["only with weights int8"]), ("k: none", ["k", "none"]),
      ("compression: gzip", ["compression", "deflate or zstd"]),
    ] {
      try directory.write("bad.yaml", "steps:\n  - calibrate:\n      \(line)\n")
      try Program.run(
        "build", directory("bad.yaml"), "--source", Repository.tinyQwen2, "--output",
        directory("x")
      ).refused(naming: words + ["bad.yaml:3"])
    }
  }
}
