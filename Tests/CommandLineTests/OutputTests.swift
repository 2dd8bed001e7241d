import Architectures
import Foundation
import StrictJSON
import TestSupport
import Testing

/// Where output goes, and what is said about it.
struct OutputTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.qwen2Tied.synthesize(to: directory("s"))
  }

  @Test func `convert says what it wrote, once`() throws {
    let report = try Program.run("convert", directory("s"), directory("out"), "--json").json()
    #expect(report["layout"]?.string == "gla_swa")
    #expect(report["output"]?.string == directory("out"))
    #expect(report["layers"] == ["gla", "window 4096", "gla"])
    let files = try #require(report["files"]?.array)
    #expect(files.compactMap { $0["name"]?.string } == ["model.safetensors"])
    #expect(
      files[0]["bytes"]?.int == (try Files.bytes(directory("out/model.safetensors"))).count)
    #expect(directory.names == ["out", "s"])
  }

  @Test func `a dry run writes nothing and says the same`() throws {
    let plan = try Program.run("convert", directory("s"), directory("out"), "--dry-run", "--json")
      .json()
    #expect(directory.names == ["s"])
    let report = try Program.run("convert", directory("s"), directory("out"), "--json").json()
    for key in plan.keys { #expect(plan[key] == report[key], "\(key)") }
    let text = try Program.run("convert", directory("s"), directory("x/y"), "--dry-run").succeeded()
      .text
    #expect(text.contains("gla_swa"))
    #expect(text.contains("model.safetensors"))
    #expect(directory.names == ["out", "s"])
  }

  @Test func `an existing output is refused, with force replaced`() throws {
    try directory.write("out/precious", "data")
    try Program.run("convert", directory("s"), directory("out")).refused(
      naming: "out", "choose another name")
    #expect(try Files.text(directory("out/precious")) == "data")
    // Nothing here says that this program wrote it.
    try Program.run("convert", directory("s"), directory("out"), "--force")
      .refused(naming: "out", "manifest.json")
    #expect(try Files.text(directory("out/precious")) == "data")
    try directory.write("out/manifest.json", #"{"name":"my web app"}"#)
    try Program.run("convert", directory("s"), directory("out"), "--force")
      .refused(naming: "out", "manifest.json is not this program's")
    #expect(try Files.text(directory("out/precious")) == "data")
    try Files.remove(directory("out"))
    try Program.run("convert", directory("s"), directory("out"), "--quiet").succeeded()
    let first = try Files.tree(directory("out"))
    try Program.run("convert", directory("s"), directory("out"), "--force", "--quiet").succeeded()
    #expect(try Files.tree(directory("out")) == first)
    try directory.write("out/precious", "data")
    try Program.run("convert", directory("s"), directory("out"), "--force")
      .refused(naming: "out", "precious")
    #expect(try Files.text(directory("out/precious")) == "data")
  }

  @Test func `an output is as private as its source`() throws {
    #expect(chmod(directory("s/model.safetensors"), 0o600) == 0)
    try Program.run("convert", directory("s"), directory("out"), "--quiet").succeeded()
    try Program.run("pack", directory("s"), directory("a.sbz"), "--quiet").succeeded()
    try Program.run("unpack", directory("a.sbz"), directory("u"), "--quiet").succeeded()
    try Program.run(
      "logits", directory("s"), "--tokens", "1", "--output", directory("l.safetensors"), "--quiet"
    ).succeeded()
    for name in ["out/model.safetensors", "a.sbz", "u/model.safetensors", "l.safetensors"] {
      let mode = try FileManager.default.attributesOfItem(atPath: directory(name))[
        .posixPermissions]
      #expect(mode as? Int == 0o600, "\(name)")
    }
  }

  @Test func `the source is never replaced, not even by force`() throws {
    let before = try Files.tree(directory("s"))
    for out in [directory("s"), directory("s/"), directory.path] {
      try Program.run("convert", directory("s"), out, "--force").refused(
        naming: "cannot be replaced")
    }
    #expect(try Files.tree(directory("s")) == before)
  }

  @Test func `an output inside the source can be interrupted and resumed`() throws {
    try TinyModel.llama.synthesize(to: directory("t"), ["vocab_size": 100])
    let arguments = ["convert", directory("t"), directory("t/c"), "--shard-size", "26KB"]
    try Program.run(after: "ulimit -f 28", arguments).refused(naming: "File too large")
    #expect(Files.exist(directory("t/c.partial")))
    try Program.run(arguments + ["--resume", "--quiet"]).succeeded()
    #expect(Files.exist(directory("t/c/manifest.json")))
  }

  @Test func `missing parents are made`() throws {
    try Program.run("convert", directory("s"), directory("a/b/c"), "--quiet").succeeded()
    #expect(Files.exist(directory("a/b/c/config.json")))
    try directory.write("file", "x")
    try Program.run("convert", directory("s"), directory("file/c")).refused(naming: "file")
    #expect(try Files.text(directory("file")) == "x")
  }

  @Test func `quiet is quiet, and notes go to standard error`() throws {
    let loud = try Program.run("convert", directory("s"), directory("a")).succeeded()
    #expect(loud.error.contains("note: Linear layers (2)"))
    #expect(loud.text.contains("wrote \(directory("a"))"))
    let quiet = try Program.run("convert", directory("s"), directory("b"), "--quiet").succeeded()
    #expect(quiet.error.isEmpty)
  }

  @Test func `more than the disk holds is refused before it is begun`() throws {
    let config = try TinyModel.llama.configuration([
      "hidden_size": 65536, "vocab_size": 200_000_000,
    ])
    let file = try directory.write("huge.json", JSONValue.object(config.object).pretty)
    try Program.run("synthesize", file, directory("out"))
      .refused(naming: "out", "are needed", "are free")
    #expect(directory.names == ["huge.json", "s"])
  }

  @Test func `threads, memory and shards do not change tensors`() throws {
    let runs: [(String, [String])] = [
      ("a", []), ("b", ["--jobs", "1"]), ("c", ["--max-ram", "256MiB"]),
    ]
    for (name, options) in runs {
      try Program.run(["convert", directory("s"), directory(name), "--quiet"] + options).succeeded()
    }
    let first = try Files.tree(directory("a"))
    #expect(try Files.tree(directory("b")) == first)
    #expect(try Files.tree(directory("c")) == first)
  }

  @Test func `a full pipe or a closed one is no crash`() throws {
    let result = try Program.run(after: "exec >/dev/full", ["inspect", directory("s")])
    #expect(result.code >= 0)
  }
}
