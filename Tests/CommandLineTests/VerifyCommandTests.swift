import Foundation
import StepSettings
import StrictJSON
import TestSupport
import Testing

/// The exit code and the report of `verify`, and pipelines that end in it.
struct VerifyCommandTests {
  private let directory: TemporaryDirectory
  private let text = Repository.root + "/demo/pride-and-prejudice-end.txt"

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.convert(Repository.tinyQwen2, to: directory("c")) { $0.window = 64 }
  }

  @Test func `a sound conversion exits 0`() throws {
    let report = try Program.run(
      "verify", directory("c"), "--source", Repository.tinyQwen2, "--json"
    ).json()
    #expect(report["passed"] == true)
    let checks = try #require(report["checks"]?.array)
    #expect(checks.count == 8)
    #expect(checks.allSatisfy { $0["outcome"] == "passed" })
    let plain = try Program.run("verify", directory("c"), "--level", "values").succeeded()
    #expect(plain.text.contains("ok    hashes"))
    #expect(plain.text.contains("skip  provenance"))
    #expect(plain.text.hasSuffix("3 checks passed, 1 skipped\n"))
  }

  @Test func `a flipped byte exits 1 and is named`() throws {
    let name = "model.layers.3.mlp.up_proj.weight"
    try CheckpointEdit(directory("c")).overwrite(name, at: 100, with: [0xff, 0x3f])
    let result = try Program.run("verify", directory("c"), "--source", Repository.tinyQwen2)
    #expect(result.code == 1)
    #expect(result.text.contains("FAIL  hashes: model.safetensors"))
    #expect(result.text.contains("FAIL  provenance: \(name)"))
    #expect(result.text.hasSuffix("verification failed\n"))
    let json = try Program.run("verify", directory("c"), "--json")
    #expect(json.code == 1)
    #expect(try JSONParser.parse(json.output)["passed"] == false)
  }

  @Test func `quality adds the perplexity`() throws {
    let result = try Program.run(
      "verify", directory("c"), "--level", "quality", "--text", text, "--source",
      Repository.tinyQwen2, "--json"
    ).json()
    let last = try #require(result["checks"]?.array?.last)
    #expect(last["name"] == "quality")
    #expect(last["detail"]?.string?.contains("perplexity") == true)
    #expect(last["detail"]?.string?.contains("KL from source") == true)
  }

  @Test func `build runs a recipe's steps in order`() throws {
    try directory.write("text.txt", String(repeating: "It was the best of times. ", count: 20))
    let recipe = try directory.write(
      "recipe.yaml",
      """
      source: \(Repository.tinyQwen2)
      steps:
        - convert: {window: 32, attention-layers: [1, 2]}
        - verify: {level: logits}
        - evaluate: {text: text.txt, context: 16, tokens: 64}
      """)
    let result = try Program.run("build", recipe, "--output", directory("b")).succeeded()
    let places = ["== convert", "== verify", "all checks passed", "== evaluate", "perplexity"]
      .map { result.text.range(of: $0)?.lowerBound }
    #expect(places.allSatisfy { $0 != nil })
    #expect(places.compactMap { $0 } == places.compactMap { $0 }.sorted())
    #expect(try Files.text(directory("b/config.json")).contains("\"sliding_window\": 32"))
  }

  @Test func `a recipe names its faults by line`() throws {
    let recipe = try directory.write("r.yaml", "source: x\nsteps:\n  - convert:\n      windw: 3\n")
    try Program.run("build", recipe, "--output", directory("b"))
      .refused(naming: "r.yaml:4", "windw", "did you mean \"window\"")
    let bare = try directory.write("bare.yaml", "steps: [convert]\n")
    try Program.run("build", bare, "--output", directory("b"))
      .refused(naming: "bare.yaml", "source")
    try Program.run("build", bare, "--source", Repository.tinyQwen2)
      .refused(naming: "bare.yaml", "output")
    try Program.run("build", directory("none.yaml")).refused(naming: "none.yaml", "no such file")
    #expect(!Files.exist(directory("b")))
  }

  @Test func `a dry build writes nothing`() throws {
    let recipe = try directory.write("r.yaml", "steps: [convert, verify]\n")
    try Program.run(
      "build", recipe, "--source", Repository.tinyQwen2, "--output", directory("b"), "--dry-run"
    ).succeeded()
    #expect(!Files.exist(directory("b")))
    #expect(!Files.exist(directory("b.partial")))
  }

  @Test func `a build in JSON is one object`() throws {
    let recipe = try directory.write("r.yaml", "steps: [convert, verify]\n")
    let report = try Program.run(
      "build", recipe, "--source", Repository.tinyQwen2, "--output", directory("b"), "--json"
    ).json()
    #expect(report["steps"]?.array?.count == 2)
  }
}
