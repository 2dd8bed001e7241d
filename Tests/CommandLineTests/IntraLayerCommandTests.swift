import StrictJSON
import TestSupport
import Testing

/// `convert --layout intra-layer` as a process.
struct IntraLayerCommandTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("s"))
  }

  private func convert(_ options: [String]) throws -> Program.Result {
    try Program.run(
      ["convert", directory("s"), directory("c"), "--layout", "intra-layer"] + options)
  }

  @Test func `prints the distance from the source for several numbers of sinks`() throws {
    let result = try convert(["--sinks", "2", "--json"]).succeeded()
    let measured = try result.json()["measured"]?["logit_error_by_sinks"]?.object
    #expect(measured?.keys.sorted() == ["0", "128", "2", "4"])
    #expect((measured?["0"]?["largest"]?.double ?? 1) < 1e-4)
    let inspected = try Program.run("inspect", directory("c"), "--json").json()
    #expect(inspected["sink_tokens"] == 2)
    #expect(inspected["layers"]?.array?.first?.string == "parallel 4096")
    let generated = try Program.run(
      "verify", directory("c"), "--source", directory("s"))
    #expect(generated.succeeded().text.contains("all checks passed"))
  }

  @Test(arguments: [
    (["--sinks=-1"], ["--sinks", "-1"]),
    (["--sinks", "70000"], ["--sinks", "70000", "0 to 65536"]),
    (["--sink-token", "320"], ["--sink-token", "320", "0 to 319"]),
    (["--branch-scale", "1"], ["--branch-scale", "two numbers"]),
    (["--branch-scale", "0,nan"], ["--branch-scale"]),
    (["--branch-norm-eps", "0"], ["--branch-norm-eps"]),
    (["--attention-layers", "1"], ["--attention-layers", "intra-layer"]),
    (["--full-attention-layers", "3"], ["--full-attention-layers", "layer 3", "0 to 2"]),
  ])
  func `bad options are named`(_ options: [String], _ words: [String]) throws {
    try convert(options).refused(naming: words)
    #expect(directory.names == ["s"])
  }

  @Test func `sinks belong to the intra-layer layout`() throws {
    try Program.run("convert", directory("s"), directory("c"), "--sinks", "4")
      .refused(naming: "--layout", "intra-layer")
  }
}
