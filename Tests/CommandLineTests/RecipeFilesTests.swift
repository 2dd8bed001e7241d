import Architectures
import Checkpoints
import Foundation
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// The recipes that come with the program.
struct RecipeFilesTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A checkpoint of the given configuration with headers and holes only.
  private func writeHoles(_ keys: JSONValue, to name: String) throws {
    let object = try #require(keys.object)
    let configuration = Configuration(object, file: "config.json")
    let model = try Qwen2.describe(configuration)
    let header = try SafetensorsHeader(
      file: "model.safetensors",
      entries: model.requirements.map {
        .init(
          name: Qwen2.names.name(of: $0.address) ?? "", type: .bfloat16, shape: $0.shape)
      })
    let path = try directory.write("\(name)/model.safetensors", header.bytes)
    #expect(truncate(path, off_t(header.fileBytes)) == 0)
    try directory.write("\(name)/config.json", keys.pretty)
  }

  @Test func `Qwen2.5-7B becomes 76 B parameters, counted before a byte is written`() throws {
    try writeHoles(
      [
        "model_type": "qwen2", "vocab_size": 152_064, "hidden_size": 3584,
        "intermediate_size": 18_944, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
        "tie_word_embeddings": false, "max_position_embeddings": 131_072, "eos_token_id": 151_643,
      ], to: "qwen")
    let arguments = [
      "build", Repository.root + "/recipes/spikingbrain-76b.yaml", "--source", directory("qwen"),
      "--output", directory("out"), "--dry-run",
    ]
    let text = try Program.run(arguments).succeeded().text
    #expect(text.contains("76053741568 in feed-forward, embeddings and attention together"))
    let steps = try #require(try Program.run(arguments + ["--json"]).json()["steps"]?.array)
    let upcycled = try #require(steps.first { $0["step"] == "upcycle" })
    #expect(upcycled["parameters"] == 76_055_938_616)
    #expect(upcycled["active_parameters"] == 11_894_883_896)
    #expect(upcycled["bytes"] == 152_111_877_232)
    let parts = try #require(upcycled["parts"]?.object)
    #expect(parts["routers"] == 1_204_224)
    #expect(parts["sinks"] == 458_752)
    // INT8 weights with a float32 scale for each 128 inputs, everything else in bfloat16.
    let calibrated = try #require(steps.first { $0["step"] == "calibrate" })
    #expect(steps.last?["step"] == "verify")
    #expect(calibrated["settings"]?["weights"] == "int8")
    #expect(calibrated["settings"]?["group-size"] == "128")
    #expect(calibrated["settings"]?["kv"] == "int8")
    #expect(calibrated["settings"]?["winners"] == "none")
    let bytes = try #require(calibrated["bytes"]?.double)
    #expect(bytes > 0.5 * 152_111_877_232 && bytes < 0.53 * 152_111_877_232)
    #expect(text.contains("weights int8, group-size 128, rounding search"))
    #expect(text.contains("k 3.0, rotated queries 3.0, INT8 keys and values"))
    #expect(directory.names == ["qwen"])
  }

  @Test func `a dry run says what the healing will take, and writes nothing`() throws {
    let result = try Program.run(
      "build", Repository.root + "/recipes/demo.yaml", "--output", directory("out"), "--dry-run",
      "--json"
    ).json()
    let steps = try #require(result["steps"]?.array)
    let healing = try #require(steps.first { $0["step"] == "heal" })
    #expect(healing["steps"] == 1600)
    #expect(steps.last?["step"] == "evaluate")
    #expect(try #require(healing["predicted_seconds"]?.double) > 0)
    #expect(directory.names.isEmpty)
  }

  @Test func `the small one is built, verified and still speaks`() throws {
    let result = try Program.run(
      "build", Repository.root + "/recipes/demo-experts.yaml", "--output", directory("out"),
      "--json"
    ).json()
    #expect(result["passed"] == true)
    let steps = try #require(result["steps"]?.array)
    #expect(
      steps.map { $0["step"]?.string } == ["convert", "upcycle", "verify", "evaluate", "evaluate"])
    let perplexities = steps.compactMap { $0["perplexity"]?.double }
    #expect(perplexities.count == 2)
    #expect(perplexities[1] < 1.5 * perplexities[0], "\(perplexities)")
    #expect(directory.names == ["out"])
    try Program.run(
      "generate", directory("out"), "--prompt", "It is", "--max-tokens", "4"
    ).succeeded()
  }

  @Test(arguments: [
    (
      "- convert: {layout: intra-layer}\n  - upcycle:\n      dense-layers: 0-7", "r.yaml:4",
      "all 8 layers"
    ),
    ("- convert:\n      window: 64\n      attention-layers: 1,9", "r.yaml:4", "layer 9"),
    (
      "- upcycle:\n      experts: 3\n      carve: 64\n      text: r.yaml", "r.yaml:4",
      "do not divide"
    ),
    ("- heal: {text: r.yaml}", "r.yaml:2", "the model that the checkpoint was converted from"),
  ])
  func `what a model does not allow is said with its line`(
    _ steps: String, _ place: String, _ words: String
  ) throws {
    try directory.write("r.yaml", "steps:\n  \(steps)\n")
    for options in [[], ["--dry-run"]] {
      try Program.run(
        [
          "build", directory("r.yaml"), "--source", Repository.tinyQwen2, "--output",
          directory("out"),
        ]
          + options
      ).refused(naming: place, words)
    }
    #expect(directory.names == ["r.yaml"])
  }

  @Test func `a healed model is upcycled and verified against the healed one`() throws {
    try directory.write(
      "r.yaml",
      """
      steps:
        - convert:
            window: 128
        - heal:
            text: \(Repository.root)/demo/war-and-peace-begin.txt
            tokens: 1024
            context: 128
            method: ridge
        - upcycle:
            experts: 2
        - verify
      """)
    let result = try Program.run(
      "build", directory("r.yaml"), "--source", Repository.tinyQwen2, "--output",
      directory("out")
    ).succeeded()
    #expect(result.text.contains("all checks passed"), "\(result)")
    // Without the healed checkpoint, what can be checked is, and the rest is named.
    let later = try Program.run(
      "verify", directory("out"), "--source", Repository.tinyQwen2
    ).succeeded()
    #expect(later.text.contains("healed before"), "\(later)")
    // Attention is refitted beside experts as well.
    try Program.run(
      "heal", directory("out"), "--teacher", Repository.tinyQwen2, "--text",
      Repository.root + "/demo/war-and-peace-begin.txt", "--output", directory("again"),
      "--tokens", "1024", "--context", "128", "--method", "ridge"
    ).succeeded()
  }
}
