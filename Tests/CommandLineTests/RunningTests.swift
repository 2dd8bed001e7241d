import Checkpoints
import Foundation
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// Commands that run a model, on the demo model and its conversion.
struct RunningTests {
  private let directory: TemporaryDirectory
  private let converted: String
  private let text = Repository.root + "/demo/pride-and-prejudice-end.txt"

  init() throws {
    directory = try TemporaryDirectory()
    converted = directory("c")
    try TinyModel.convert(Repository.tinyQwen2, to: converted) { $0.window = 16 }
  }

  private func logits(_ name: String, _ options: String...) throws -> LogitsFile {
    let report = try Program.run(
      ["logits", converted, "--tokens", "5, 6,7 ,8", "--json", "--output", directory(name)]
        + options
    ).json()
    #expect(report["output"]?.string == directory(name))
    #expect(report["tokens"] == 4)
    return try LogitsFile(directory(name))
  }

  @Test func `logits writes a row per token, and the streams when asked to`() throws {
    let plain = try logits("a"), layered = try logits("b", "--layers")
    #expect(plain.shape == [4, 2048])
    #expect(plain.file.tensors.count == 1)
    #expect(layered.file.tensors.map(\.name).count == 10)
    #expect(layered.file.tensor(named: "hidden.8")?.shape == [4, 128])
    #expect(try layered.values("logits") == plain.values("logits"))
    #expect(directory.names == ["a", "b", "c"])
  }

  @Test func `stepwise logits are the same within rounding`() throws {
    let together = try logits("a", "--layers"), stepwise = try logits("b", "--layers", "--stepwise")
    for tensor in together.file.tensors {
      let left = try together.values(tensor.name), right = try stepwise.values(tensor.name)
      let largest = left.reduce(0) { max($0, $1.magnitude) }
      #expect(zip(left, right).allSatisfy { ($0 - $1).magnitude <= 1e-4 * largest })
    }
  }

  @Test func `bounded memory gives the same logits`() throws {
    let whole = try logits("a"), bounded = try logits("b", "--max-ram", "256MiB")
    #expect(try whole.values("logits") == bounded.values("logits"))
  }

  @Test func `evaluate says what segments are too long for`() throws {
    func note(_ ckpt: String, context: Int, tokens: Int = 600) throws -> String {
      try Program.run(
        "evaluate", ckpt, "--text", text, "--context", "\(context)", "--tokens", "\(tokens)"
      ).succeeded().error
    }
    let source = Repository.tinyQwen2
    #expect(try note(source, context: 512).isEmpty)
    #expect(try note(source, context: 1024, tokens: 500).isEmpty)
    #expect(
      try note(source, context: 1024)
        .contains("segments of 600 tokens are longer than the 512 positions the model was made for")
    )
    #expect(try note(converted, context: 17, tokens: 32).contains("longer than the window of 16"))
    #expect(try note(converted, context: 16, tokens: 32).isEmpty)
  }

  @Test func `evaluate reports by position, and against a teacher`() throws {
    let options = ["--text", text, "--context", "32", "--tokens", "96", "--json"]
    let report = try Program.run(["evaluate", Repository.tinyQwen2] + options).json()
    #expect(report["tokens"] == 96)
    #expect(report["scored"] == 93)
    let perplexity = try #require(report["perplexity"]?.double)
    #expect(perplexity > 5 && perplexity < 200)
    #expect(
      report["nll_by_position"]?.object?.keys == ["1", "2-3", "4-7", "8-15", "16-31"])
    #expect(report["kl"] == nil)
    let compared = try Program.run(
      ["evaluate", converted, "--teacher", Repository.tinyQwen2] + options
    ).json()
    #expect((compared["kl"]?.double ?? 0) > 0.1)
    #expect((compared["top1"]?.double ?? 2) < 1)
    let ablated = try Program.run(
      ["evaluate", Repository.tinyQwen2, "--ablate", "attention"] + options
    ).json()
    #expect((ablated["perplexity"]?.double ?? 0) > 2 * perplexity)
  }

  @Test func `evaluate empties states, and says how far they reach`() throws {
    let options = ["--text", text, "--context", "32", "--tokens", "96", "--memory"]
    let report = try Program.run(["evaluate", converted, "--json"] + options).json()
    let rows = try #require(report["memory"]?["emptied"]?.array)
    #expect(rows.map { $0["every"]?.int } == [1, 16])
    #expect(report["memory"]?["effective"] != nil)
    let whole = try #require(report["perplexity"]?.double)
    for row in rows {
      let ratio = try #require(row["perplexity"]?.double) / whole
      let difference = try #require(row["difference"]?.double)
      #expect(abs(difference - log(ratio)) < 1e-6)
      #expect((row["standard_error"]?.double ?? 0) > 0)
    }
    // The source has no state to empty.
    let source = try Program.run(["evaluate", Repository.tinyQwen2] + options).succeeded()
    #expect(source.text.contains("effective memory: 1 token"))
    #expect(!source.text.contains("1 tokens"))
  }

  @Test func `evaluate measures recall`() throws {
    let options = [
      "--text", text, "--recall", "2", "--recall-span", "8", "--recall-distance", "24",
    ]
    let results = try ["0", "0", "1"].map {
      try Program.run(["evaluate", converted, "--json", "--seed", $0] + options)
    }
    let report = try results[0].json()
    #expect(report["state_every"] == 16)
    #expect(report["trials"] == 2)
    #expect((report["log_probability"]?.double ?? 0) < -1)
    let bounds = try #require(report["gain"]?["interval"]?.array)
    let interval = bounds.compactMap(\.double)
    try #require(interval.count == 2)
    let mean = try #require(report["gain"]?["mean"]?.double)
    #expect(interval[0] < mean && mean < interval[1])
    #expect(report["control"]?["mean"]?.double != nil)
    #expect(results[0].output == results[1].output)
    #expect(results[0].output != results[2].output)
    let text = try Program.run(["evaluate", converted] + options).succeeded().text
    #expect(text.contains("gain over state:16"))
  }

  @Test func `inspect describes, and exits 1 for what is not sound`() throws {
    let report = try Program.run("inspect", converted, "--json", "--tensors").json()
    #expect(report["architecture"] == "gla_swa")
    #expect(report["format"] == "safetensors")
    #expect(report["convertible"] == false)
    #expect(report["problems"] == [])
    #expect(report["layers"]?.array?.prefix(2) == ["gla", "window 16"])
    let file = try Files.bytes(converted + "/model.safetensors").count
    #expect((report["bytes"]?.int ?? 0) < file)
    #expect(report["tensors"]?.array?.contains { $0["name"] == "lm_head.weight" } == true)
    let source = try Program.run("inspect", Repository.tinyQwen2).succeeded()
    #expect(source.text.contains("yes, to the public SpikingBrain-7B layout"))
    try CheckpointEdit(converted).rewrite { $0.removeAll { $0.name == "lm_head.weight" } }
    let broken = try Program.run("inspect", converted)
    #expect(broken.code == 1)
    #expect(broken.text.contains("problem: tensor lm_head.weight [2048, 128] is missing"))
  }

  @Test func `inspect says in JSON what it says in words: INT8 weights are not converted`() throws {
    try TinyModel.export(Repository.tinyQwen2, to: directory("int8"), profile: "w8a8")
    let facts = try Program.run("inspect", directory("int8"), "--json").json()
    #expect(facts["problems"] == [])
    #expect(facts["convertible"] == false)
    let text = try Program.run("inspect", directory("int8")).succeeded().text
    #expect(text.contains("no: the weights are integers already"))
  }

  @Test func `inspect says that it cannot read how a checkpoint was made`() throws {
    try directory.write("c/manifest.json", "{")
    let text = try Program.run("inspect", converted).succeeded().text
    #expect(text.contains("note: how it was made is not known"))
    let facts = try Program.run("inspect", converted, "--json").json()
    let notes = (facts["notes"]?.array ?? []).compactMap(\.string)
    #expect(notes.contains { $0.contains("how it was made is not known") })
  }

  @Test func `bench reports what it measured`() throws {
    let report = try Program.run(
      "bench", converted, "--prefill", "8,16", "--decode", "2", "--at", "0,20", "--json"
    ).json()
    #expect(report["prefill"]?.array?.compactMap { $0["tokens"]?.int } == [8, 16])
    #expect(report["decode"]?.array?.compactMap { $0["at"]?.int } == [0, 20])
    for entry in (report["prefill"]?.array ?? []) + (report["decode"]?.array ?? []) {
      #expect((entry["tokensPerSecond"]?.double ?? 0) > 0)
    }
    #expect((report["stateBytes"]?.int ?? 0) > 0)
    #expect((report["peakBytes"]?.int ?? 0) > 1 << 20)
  }

  @Test func `synthesize is seeded`() throws {
    let config = Repository.fixture("configs/qwen3.json")
    for (name, seed) in [("x", "1"), ("y", "1"), ("z", "2")] {
      let report = try Program.run(
        "synthesize", config, directory(name), "--seed", seed, "--layers", "2", "--json"
      ).json()
      #expect(report["layers"]?.array?.count == 2)
    }
    let trees = try ["x", "y", "z"].map { try Files.tree(directory($0)) }
    #expect(trees[0] == trees[1])
    #expect(trees[0] != trees[2])
  }
}
