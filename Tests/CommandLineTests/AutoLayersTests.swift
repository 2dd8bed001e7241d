import Checkpoints
import Foundation
import StrictJSON
import TestSupport
import Testing

/// `--attention-layers auto:N`: the program measures which layers keep softmax attention.
@Suite struct AutoLayersTests {
  private let directory: TemporaryDirectory
  private let text = Repository.root + "/demo/war-and-peace-begin.txt"

  init() throws { directory = try TemporaryDirectory() }

  private func convert(_ count: String, _ options: String...) -> [String] {
    [
      "convert", Repository.tinyQwen2, directory("out"), "--attention-layers", count, "--text",
      text, "--tokens", "2048", "--context", "128", "--window", "512",
    ] + options
  }

  private func manifest() throws -> JSONObject {
    try #require(JSONParser.parse(Files.bytes(directory("out/manifest.json"))).object)
  }

  @Test func `a text is needed, and only then`() throws {
    for arguments in [["--attention-layers", "auto:3"], ["--text", text]] {
      try Program.run(["convert", Repository.tinyQwen2, directory("out")] + arguments)
        .refused(naming: "--text")
    }
    #expect(directory.names.isEmpty)
  }

  @Test func `bad input is refused before anything is measured or written`() throws {
    try Program.run(convert("auto:9")).refused(naming: "auto:9", "8", "--attention-layers")
    try Program.run(convert("auto:8", "--full-attention-layers", "2")).refused(
      naming: "auto:8", "7")
    try Program.run(convert("auto:2", "--full-attention-layers", "9")).refused(naming: "layer 9")
    try Program.run(convert("auto:2", "--context", "1024")).refused(naming: "2048", "4096")
    try Program.run(convert("auto:2", "--context", "1")).refused(naming: "--context")
    try Program.run(
      "convert", Repository.tinyQwen2, directory("out"), "--attention-layers", "auto:2", "--text",
      directory("none")
    ).refused(naming: "none")
    #expect(directory.names.isEmpty)
  }

  @Test func `the ranking is printed, recorded and followed`() throws {
    let plan = try Program.run(convert("auto:5", "--dry-run", "--json")).json()
    #expect(directory.names.isEmpty)
    let words = try Program.run(convert("auto:5", "--dry-run")).succeeded().text
    #expect(words.contains("layer") && words.contains("becomes"))
    let report = try Program.run(convert("auto:5", "--json", "--quiet")).json()
    #expect(directory.names == ["out"])
    let selection = try #require(report["selection"]?.object)
    #expect(plan["selection"]?.object == selection)
    let recipe = try #require(manifest()["recipe"]?.object)
    #expect(recipe["selection"]?.object == selection)
    #expect(selection["asked"] == "auto:5" && selection["score"] == "kl")

    let ranking = try #require(selection["ranking"]?.array)
    let scores = ranking.compactMap { $0["kl"]?.double }
    #expect(scores.count == 8 && scores == scores.sorted(by: >))
    let window = ranking.prefix(5).compactMap { $0["layer"]?.int }.sorted()
    #expect(ranking.prefix(5).allSatisfy { $0["becomes"] == "window" })
    #expect(ranking.suffix(3).allSatisfy { $0["becomes"] == "gla" })
    let kinds = try #require(report["layers"]?.array)
    #expect(kinds.indices.filter { kinds[$0] == "window 512" } == window)
    // What is recorded needs no text: it is a list.
    let list = window.map(String.init).joined(separator: ",")
    #expect(recipe["settings"]?["attention-layers"]?.string == list)
    try Program.run("verify", directory("out"), "--source", Repository.tinyQwen2).succeeded()
  }

  @Test func `layers with full attention are not chosen`() throws {
    let plan = try Program.run(
      convert("auto:2", "--full-attention-layers", "0,1", "--dry-run", "--json")
    ).json()
    let kinds = try #require(plan["layers"]?.array).compactMap(\.string)
    #expect(kinds[0] == "full" && kinds[1] == "full")
    #expect(kinds.count { $0 == "window 512" } == 2)
  }

  @Test func `a stopped run goes on with what it measured`() throws {
    // Streams fit under the limit, the checkpoint does not.
    let stopped = try Program.run(after: "ulimit -f 4096", convert("auto:5", "--dtype", "float32"))
    #expect(stopped.code == 2)
    let stored = directory("out.partial/.work/ranking.json")
    #expect(Files.exist(stored) && !Files.exist(directory("out")))
    try Program.run(convert("auto:5", "--dtype", "float32")).refused(naming: "--resume")
    try Program.run(convert("auto:4", "--dtype", "float32", "--resume")).refused(
      naming: "--attention-layers was auto:5, is auto:4")
    // Scores that no measurement would give show where the resumed run has them from.
    let scores = (0..<8).map { #"{"layer":\#($0),"divergence":\#($0),"error":0.5}"# }
    let text = "[" + scores.joined(separator: ",") + "]"
    try directory.write("out.partial/.work/ranking.json", text)
    try Program.run(convert("auto:5", "--dtype", "float32", "--resume"))
      .refused(naming: "ranking.json", "changed")
    try directory.write(
      "out.partial/.work/ranking.json", "\(text)\n\(SHA256.hash(Array(text.utf8)))\n")
    try Program.run(convert("auto:5", "--dtype", "float32", "--resume", "--quiet")).succeeded()
    #expect(
      try manifest()["recipe"]?["settings"]?["attention-layers"]?.string == "3,4,5,6,7")
    #expect(directory.names == ["out"])
    let again = try Program.run(convert("auto:5", "--dtype", "float32", "--resume")).succeeded()
    #expect(again.text.contains("already complete"))
    try Program.run(convert("auto:4", "--dtype", "float32", "--resume")).refused(naming: "--force")
  }

  @Test func `a killed measurement goes on to the same result`() throws {
    try Program.run(convert("auto:5", "--quiet")).succeeded()
    let whole = try Files.tree(directory("out"))
    try FileManager.default.removeItem(atPath: directory("out"))
    let running = try RunningProgram(Program.path, convert("auto:5", "--quiet"))
    let mark = directory("out.partial/.work/ranking/source.3")
    while !running.hasEnded && !Files.exist(mark) { usleep(200) }
    let killed = try #require(running.kill())
    #expect(killed.code == -9, "the run was over before it was killed")
    try Program.run(convert("auto:5", "--resume", "--quiet")).succeeded()
    #expect(try Files.tree(directory("out")) == whole)
  }

  @Test func `a recipe can ask for it`() throws {
    try FileManager.default.copyItem(atPath: text, toPath: directory("calibration.txt"))
    let recipe = try directory.write(
      "r.yaml",
      """
      source: \(Repository.tinyQwen2)
      steps:
        - convert:
            attention-layers: auto:6
            text: calibration.txt
            tokens: 2048
            context: 128
            window: 512
        - verify:
            level: values
      """)
    let report = try Program.run("build", recipe, "--output", directory("out"), "--json").json()
    let step = try #require(report["steps"]?.array?.first)
    #expect(step["selection"]?["asked"] == "auto:6")
    #expect(step["layers"]?.array?.count { $0 == "gla" } == 2)
    let dry = try Program.run("build", recipe, "--output", directory("x"), "--dry-run").succeeded()
    #expect(dry.text.contains("becomes"))
    #expect(!Files.exist(directory("x")))
  }
}
