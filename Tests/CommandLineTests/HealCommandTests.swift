import Architectures
import Foundation
import StrictJSON
import TestSupport
import Testing

/// `heal` as a user runs it: in processes of its own, where nothing else changes threads or kernels.
@Suite struct HealCommandTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try Program.run(
      "convert", Repository.tinyQwen2, directory("copied"), "--window", "512", "--quiet"
    ).succeeded()
  }

  private func heal(to output: String, _ options: String...) -> [String] {
    [
      "heal", directory("copied"), "--teacher", Repository.tinyQwen2, "--text",
      Repository.root + "/demo/war-and-peace-begin.txt", "--output", directory(output), "--tokens",
      "4096", "--context", "128", "--steps", "12", "--quiet",
    ] + options
  }

  @Test func `a killed healing resumes to the same bytes, which verify accepts`() throws {
    try Program.run(heal(to: "whole")).succeeded()
    let running = try RunningProgram(Program.path, heal(to: "out"))
    let mark = directory("out.partial/.work/layer.2.safetensors")
    while !running.hasEnded && !Files.exist(mark) { usleep(200) }
    let killed = try #require(running.kill())
    #expect(killed.code == -9, "the run was over before it was killed")
    #expect(!Files.exist(directory("out")))
    try Program.run(heal(to: "out")).refused(naming: "out.partial", "--resume")
    try Program.run(heal(to: "out", "--resume", "--seed", "7"))
      .refused(naming: "--seed was 0, is 7")
    try Program.run(heal(to: "out", "--resume")).succeeded()
    #expect(try Files.tree(directory("out")) == Files.tree(directory("whole")))
    let report = try Program.run(
      "verify", directory("out"), "--source", Repository.tinyQwen2
    ).succeeded()
    #expect(report.text.contains("44 tensors healed"))
  }

  @Test func `a limit that a layer does not fit is refused, with one that works`() throws {
    let changes: [String: JSONValue?] = [
      "hidden_size": 2048, "intermediate_size": 16384, "num_hidden_layers": 1,
      "vocab_size": 2048, "sliding_window": 64,
    ]
    let configuration = try TinyModel.mistral.configuration(changes)
    try directory.write("c.json", JSONValue.object(configuration.object).pretty)
    // Nothing but holes: the structure is what counts.
    try Program.run(
      "synthesize", directory("c.json"), directory("wide"), "--sparse", "--dtype", "float32",
      "--quiet"
    ).succeeded()
    try Files.copy(
      Repository.tinyQwen2 + "/tokenizer.json", to: directory("wide/tokenizer.json"))
    var arguments = heal(to: "out", "--max-ram", "256MiB")
    arguments[1] = directory("wide")
    arguments[arguments.firstIndex(of: Repository.tinyQwen2) ?? 0] = directory("wide")
    // Two layers of 0.45 GB are mapped at a time.
    try Program.run(arguments).refused(naming: "first stage", "--max-ram 1", "MiB, or", "--context")
    #expect(directory.names == ["c.json", "copied", "wide"])
  }

  @Test func `a killed second stage resumes to the same bytes, with the window it was given`()
    throws
  {
    let options = [
      "--method", "none", "--distill-steps", "12", "--window", "64", "--distill-learning-rate",
      "1e-4", "--distill-batch", "4",
    ]
    try Program.run(heal(to: "first")).succeeded()
    var arguments = heal(to: "whole")
    arguments[1] = directory("first")
    arguments += options
    try Program.run(arguments).succeeded()
    arguments[arguments.firstIndex(of: directory("whole")) ?? 0] = directory("out")
    let running = try RunningProgram(Program.path, arguments)
    let mark = directory("out.partial/.work/distill.json")
    while !running.hasEnded && !Files.exist(mark) { usleep(200) }
    let killed = try #require(running.kill())
    #expect(killed.code == -9, "the run was over before it was killed")
    try Program.run(arguments + ["--resume"]).succeeded()
    #expect(try Files.tree(directory("out")) == Files.tree(directory("whole")))
    let report = try Program.run(
      "verify", directory("out"), "--source", Repository.tinyQwen2
    ).succeeded()
    #expect(report.text.contains("tensors healed"))
    let summary = try Program.run("inspect", directory("out")).succeeded()
    #expect(summary.text.contains("window 64") && summary.text.contains("end to end, 12 steps"))
    #expect(!summary.text.contains("left out"))
  }

  @Test func `texts that are not reached, or short, are told`() throws {
    try TinyModel.convert(Repository.tinyQwen2, to: directory("c")) { _ in }
    let text = Repository.root + "/demo/war-and-peace-begin.txt"
    let short = try directory.write("short.txt", String(try Files.text(text).prefix(4000)))
    func heal(_ tokens: String, _ texts: String...) throws -> Program.Result {
      try Program.run(
        ["heal", directory("c"), "--teacher", Repository.tinyQwen2, "--text"] + texts + [
          "--output", directory("h"), "--tokens", tokens, "--context", "128", "--dry-run",
        ]
      ).succeeded()
    }
    #expect(
      try heal("1024", text, short).error.contains("have all 1024 --tokens: \(short) not read"))
    #expect(try heal("4096", short).error.contains("of the 4096 that --tokens asks for"))
    #expect(try !heal("1024", text).error.contains("--tokens"))
  }

  @Test func `healing again says which source it wants, and that it is not its own`() throws {
    @discardableResult func again(_ name: String, teacher: String, to output: String) throws
      -> Program.Result
    {
      try Program.run(
        "heal", directory(name), "--teacher", teacher, "--text",
        Repository.root + "/demo/war-and-peace-begin.txt", "--output", directory(output),
        "--tokens", "1024", "--context", "128", "--method", "ridge"
      ).succeeded()
    }
    try Program.run(
      "heal", directory("copied"), "--teacher", directory("copied"), "--text",
      Repository.root + "/demo/war-and-peace-begin.txt", "--output", directory("own")
    ).refused(naming: "copied: is its own --teacher")
    let once = try again("copied", teacher: Repository.tinyQwen2, to: "once")
    #expect(!once.error.contains("same layers") && !once.error.contains("warning"), "\(once)")
    try again("once", teacher: Repository.tinyQwen2, to: "twice")
    let wrong = try Program.run("verify", directory("twice"), "--source", directory("once"))
    #expect(wrong.code == 1)
    for words in ["convert, heal, heal", "give what `convert` read", "of type gla_swa"] {
      #expect(wrong.text.contains(words), "\(wrong.text)")
    }
  }

  @Test func `an intra-layer model is healed in both stages`() throws {
    try Program.run(
      "convert", Repository.tinyQwen2, directory("intra"), "--layout", "intra-layer", "--window",
      "32", "--sinks", "1", "--quiet"
    ).succeeded()
    let healed = try Program.run(
      "heal", directory("intra"), "--teacher", Repository.tinyQwen2, "--text",
      Repository.root + "/demo/war-and-peace-begin.txt", "--output", directory("out"), "--tokens",
      "1280", "--context", "128", "--steps", "4", "--distill-steps", "2", "--json"
    ).succeeded()
    let layers = try #require(try healed.json()["layers"]?.array)
    #expect(layers.count == 8)
    #expect(layers.allSatisfy { (0...1).contains($0["linear_share"]?.double ?? -1) })
    let report = try Program.run(
      "verify", directory("out"), "--source", Repository.tinyQwen2
    ).succeeded()
    #expect(report.text.contains("80 tensors healed"))
  }

  @Test func `bad input is refused before anything is written`() throws {
    try Program.run(heal(to: "out", "--context", "2048")).refused(naming: "tokens")
    try Program.run(heal(to: "out", "--batch", "0")).refused(naming: "--batch")
    try Program.run(
      "heal", Repository.tinyQwen2, "--teacher", Repository.tinyQwen2, "--text", "/dev/null",
      "--output", directory("out")
    ).refused(naming: "neither linear layers")
    try Program.run(heal(to: "out", "--method", "none")).refused(naming: "method")
    try Program.run(heal(to: "out", "--window", "0")).refused(naming: "--window")
    let prediction = try Program.run(heal(to: "out", "--dry-run")).succeeded()
    for words in ["would write \(directory("out"))\n", "4 x gla", "model.safetensors"] {
      #expect(prediction.text.contains(words), "\(prediction.text)")
    }
    let taken = try Program.run(heal(to: "copied", "--dry-run")).succeeded()
    #expect(taken.text.contains("\(directory("copied")) (exists: --force replaces it)"))
    #expect(prediction.text.contains("predicted") && !prediction.text.contains("second stage"))
    let both = try Program.run(heal(to: "out", "--dry-run", "--distill-steps", "5")).succeeded()
    #expect(both.text.contains("second stage"))
    #expect(directory.names == ["copied"])
  }
}
