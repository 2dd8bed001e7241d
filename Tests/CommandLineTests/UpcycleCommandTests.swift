import StrictJSON
import TestSupport
import Testing

/// `upcycle` as a process.
struct UpcycleCommandTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("s"))
  }

  private func upcycle(_ options: String...) throws -> Program.Result {
    try Program.run(
      ["upcycle", directory("s"), directory("u"), "--dense-layers", "0", "--experts", "4"]
        + options)
  }

  @Test func `measures, warns, records`() throws {
    let result = try upcycle("--json").succeeded()
    let measured = try #require(try result.json()["measured"]?.object)
    let error = try #require(measured["largest_relative_logit_error"]?.double)
    #expect(error < 1e-5)
    #expect(measured["largest_by_router"]?.double == 0)
    #expect(result.error.contains("carry no knowledge"))
    let manifest = try JSONParser.parse(Files.bytes(directory("u/manifest.json")))
    #expect(manifest["recipe"]?["measured"]?.object == measured)
    let inspected = try Program.run("inspect", directory("u"), "--json").json()
    #expect(inspected["feed_forward"]?.array?.last?.string == "4 + 1 experts of 112, top 1")
    let total = try #require(inspected["parameters"]?.int)
    let active = try #require(inspected["active_parameters"]?.int)
    #expect(total - active == 2 * 3 * 3 * 112 * 64)
    // Finished already: nothing to do, and the same again.
    #expect(try upcycle("--resume").succeeded().text.contains("already complete"))
    let before = try Files.tree(directory("u"))
    try upcycle("--force").succeeded()
    #expect(try Files.tree(directory("u")) == before)
  }

  @Test func `a spiked model keeps its thresholds, and that is said`() throws {
    let text = Repository.root + "/demo/war-and-peace-begin.txt"
    try Program.run(
      "calibrate", Repository.tinyQwen2, directory("spiked"), "--text", text, "--samples", "1",
      "--context", "32", "--quiet"
    ).succeeded()
    let result = try Program.run(
      "upcycle", directory("spiked"), directory("x"), "--experts", "2"
    ).succeeded()
    #expect(result.error.contains("thresholds are those of the dense model"), "\(result)")
    let shown = try Program.run("inspect", directory("x")).succeeded()
    #expect(shown.text.contains("k 3.0, rotated queries 3.0"))
  }

  @Test func `a dry run itemises and writes nothing`() throws {
    let text = try upcycle("--dry-run").succeeded().text
    for words in ["1 x dense", "2 x 4 + 1 experts", "routers", "active"] {
      #expect(text.contains(words), "\(text)")
    }
    #expect(directory.names == ["s"])
  }

  @Test func `a router beyond the tolerance is refused, and taken when asked for`() throws {
    try upcycle("--router", "random:0.5").refused(naming: "random:0.5", "--tolerance", "0.0001")
    #expect(directory.names == ["s"])
    let text = try upcycle("--router", "random:0.5", "--tolerance", "1").succeeded().text
    #expect(text.contains("the router alone causes"))
  }

  @Test(arguments: [
    (["--top-k", "5"], ["--top-k", "5", "1 to 4"]),
    (["--experts", "0"], ["--experts", "0", "1 to"]),
    (["--shared=-1"], ["--shared", "-1"]),
    (["--dense-layers", "0,3"], ["--dense-layers", "layer 3", "0 to 2"]),
    (["--dense-layers", "0-2"], ["--dense-layers", "3 layers"]),
    (["--tolerance", "nan"], ["--tolerance", "nan"]),
    (["--shard-size", "0"], ["--shard-size", "0"]),
  ])
  func `bad options are named`(_ options: [String], _ words: [String]) throws {
    try Program.run(
      ["upcycle", directory("s"), directory("u"), "--experts", "4"] + options
    ).refused(naming: words)
    #expect(directory.names == ["s"])
  }

  @Test func `twice is once too often`() throws {
    try upcycle().succeeded()
    try Program.run("upcycle", directory("u"), directory("v"), "--dense-layers", "0")
      .refused(naming: "experts already")
  }

  @Test func `a recipe converts, upcycles and verifies`() throws {
    try directory.write(
      "r.yaml",
      """
      steps:
        - convert:
            window: 80
        - upcycle:
            experts: 4
            dense-layers: "0"
        - verify
      """)
    let arguments = [
      "build", directory("r.yaml"), "--source", directory("s"), "--output", directory("out"),
    ]
    let planned = try Program.run(arguments + ["--dry-run", "--json"]).json()
    let steps = try #require(planned["steps"]?.array)
    #expect(steps.map { $0["step"]?.string } == ["convert", "upcycle", "verify"])
    #expect(directory.names == ["r.yaml", "s"])
    let built = try Program.run(arguments).succeeded()
    #expect(built.text.contains("all checks passed"), "\(built)")
    let inspected = try Program.run("inspect", directory("out"), "--json").json()
    #expect(inspected["parameters"] == steps[1]["parameters"])
    #expect(inspected["active_parameters"] == steps[1]["active_parameters"])
  }
}
