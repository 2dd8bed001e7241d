import StrictJSON
import TestSupport
import Testing

/// `upcycle --router clustered` and what is said of its result, as processes.
struct ClusteredExpertsTests {
  private let directory: TemporaryDirectory
  private let text = Repository.root + "/demo/war-and-peace-begin.txt"
  private let other = Repository.root + "/demo/pride-and-prejudice-end.txt"

  init() throws {
    directory = try TemporaryDirectory()
    // Attention that sees 16 tokens: a damage that experts can take up some of.
    try Program.run(
      "convert", Repository.tinyQwen2, directory("d"), "--attention-layers", "0-7", "--window",
      "16",
      "--dtype", "float32", "--quiet"
    ).succeeded()
  }

  private func upcycle(to name: String, _ options: String...) -> [String] {
    [
      "upcycle", directory("d"), directory(name), "--experts", "2", "--shared", "0",
      "--dense-layers", "0-3", "--router", "clustered", "--context", "128",
    ] + options
  }

  private func perplexity(_ name: String) throws -> Double {
    try #require(
      try Program.run(
        "evaluate", directory(name), "--text", other, "--context", "128", "--tokens", "2048",
        "--json"
      ).json()["perplexity"]?.double)
  }

  @Test func `refitted experts predict another text better than copies`() throws {
    let result = try Program.run(
      upcycle(
        to: "u", "--text", text, "--tokens", "16384", "--teacher", Repository.tinyQwen2)
    ).succeeded()
    #expect(result.error.contains("layer 4: "))
    #expect(result.text.contains("logits differ from the dense model's"))
    let copy = try perplexity("d"), refitted = try perplexity("u")
    #expect(refitted < 0.99 * copy, "\(copy) -> \(refitted)")

    let manifest = try JSONParser.parse(Files.bytes(directory("u/manifest.json")))
    let fit = try #require(manifest["recipe"]?["fit"])
    let before = try #require(fit["kl_before"]?.double),
      after = try #require(fit["kl_after"]?.double)
    #expect(after < before)
    #expect(fit["layers"]?.array?.count == 8)
    let verified = try Program.run("verify", directory("u"), "--source", directory("d"))
      .succeeded()
    for words in ["4 tensors clustered", "tensors refitted", "all checks passed"] {
      #expect(verified.text.contains(words), "\(verified)")
    }

    let inspected = try Program.run(
      "inspect", directory("u"), "--text", other, "--tokens", "512", "--context", "128", "--json"
    ).json()
    // The chosen expert counts whole, whatever its probability.
    #expect(inspected["feed_forward"]?.array?[4].string?.contains("weights 1") == true)
    let layers = try #require(inspected["expert_load"]?["layers"]?.array)
    #expect(layers.map { $0["layer"]?.int } == [4, 5, 6, 7])
    for layer in layers {
      let counts = layer["counts"]?.array?.compactMap(\.int) ?? []
      #expect(counts.count == 2 && counts.reduce(0, +) == 512)
      let evenness = try #require(layer["evenness"]?.double)
      #expect(evenness > 0.2 && evenness <= 1)
    }
  }

  @Test func `a recipe refits towards its source`() throws {
    try directory.write(
      "r.yaml",
      """
      source: \(Repository.tinyQwen2)
      steps:
        - convert: {attention-layers: 0-7, window: 4}
        - upcycle:
            experts: 2
            dense-layers: 0-5
            router: clustered
            text: \(text)
            tokens: 2048
            context: 128
        - verify
      """)
    let built = try Program.run("build", directory("r.yaml"), "--output", directory("b"))
      .succeeded()
    #expect(built.text.contains("all checks passed"), "\(built)")
    #expect(built.error.contains("held-out divergence from the teacher"))
  }

  @Test func `routers alone know regions`() throws {
    let result = try Program.run(
      upcycle(to: "u", "--text", text, "--tokens", "1024", "--json")
    ).succeeded()
    #expect(result.error.contains("The routers know regions of the text"))
    let measured = try #require(try result.json()["measured"])
    #expect((measured["rms_relative_logit_error"]?.double ?? 1) < 1e-6)
  }

  @Test func `bad input is refused before anything is written`() throws {
    try Program.run(upcycle(to: "u")).refused(naming: "--text", "clustered")
    try Program.run(upcycle(to: "u", "--text", text, "--top-k", "2"))
      .refused(naming: "--top-k", "clustered")
    try Program.run(upcycle(to: "u", "--text", text, "--tokens", "400"))
      .refused(naming: "tokens", "512")
    try Program.run(upcycle(to: "u", "--text", directory("none"))).refused(naming: "none")
    try TinyModel.llama.synthesize(to: directory("s"))
    try Program.run(upcycle(to: "u", "--text", text, "--teacher", directory("s")))
      .refused(naming: "not the source")
    try Program.run(
      "upcycle", directory("d"), directory("u"), "--teacher", Repository.tinyQwen2
    ).refused(naming: "--teacher", "clustered")
    try Program.run("upcycle", directory("d"), directory("u"), "--text", text)
      .refused(naming: "--text", "clustered")
    try Program.run("inspect", directory("d"), "--text", text).refused(naming: "no experts")
    #expect(directory.names == ["d", "s"])
  }
}
