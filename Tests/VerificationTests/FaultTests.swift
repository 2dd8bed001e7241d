import Checkpoints
import ModelFiles
import StepSettings
import StrictJSON
import TestSupport
import Testing

@testable import Verification

/// Each planted fault is found by the right check and named.
struct FaultTests {
  private let directory: TemporaryDirectory
  private let edit: CheckpointEdit

  init() throws {
    directory = try TemporaryDirectory()
    edit = CheckpointEdit(directory("c"))
    // As many key heads as query heads, so that q and k have one shape.
    try TinyModel.llama.synthesize(to: directory("s"), ["num_key_value_heads": 4])
    try TinyModel.convert(directory("s"), to: directory("c")) { $0.window = 70 }
  }

  private func failure(source: Bool = true) throws -> CheckResult {
    let results = try verify(directory("c"), source: source ? directory("s") : nil)
    return try #require(results.first { $0.outcome == .failed }, "nothing was found")
  }

  private let name = "model.layers.1.mlp.up_proj.weight"

  @Test func `a flipped byte, by its file`() throws {
    let byte = try edit.bytes(of: name)[1234]
    try edit.overwrite(name, at: 1234, with: [byte ^ 1])
    for source in [false, true] {
      let failure = try failure(source: source)
      #expect(failure.name == "hashes")
      #expect(failure.detail.contains("model.safetensors"))
    }
  }

  @Test func `a flipped byte under a new manifest, by its tensor`() throws {
    let byte = try edit.bytes(of: name)[1234]
    try edit.overwrite(name, at: 1234, with: [byte ^ 1])
    try edit.remakeManifest()
    let failure = try failure()
    #expect(failure.name == "provenance")
    #expect(failure.detail.contains(name))
    #expect(failure.detail.contains("1234"))
    #expect(try !verify(directory("c")).contains { $0.outcome == .failed })
  }

  @Test(arguments: [
    ("model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.up_proj.weight"),
    ("model.layers.2.attn.q_proj.weight", "model.layers.2.attn.k_proj.weight"),
    ("model.layers.0.attn_norm.weight", "model.layers.0.mlp_norm.weight"),
    ("model.layers.0.attn.o_proj.weight", "model.layers.1.attn.o_proj.weight"),
    ("model.embeddings.weight", "lm_head.weight"),
  ])
  func `exchanged tensors`(_ left: String, _ right: String) throws {
    try edit.swap(left, right)
    try edit.remakeManifest()
    let failure = try failure()
    #expect(failure.name == "provenance")
    #expect(failure.detail.contains(left) || failure.detail.contains(right))
  }

  @Test func `a new tensor that is not what the recipe makes`() throws {
    try edit.overwrite("model.layers.0.attn.gk_proj.1.bias", element: 3, with: [0.25])
    try edit.remakeManifest()
    let failure = try failure()
    #expect(failure.name == "provenance")
    #expect(failure.detail.contains("gk_proj.1.bias differs"))
    #expect(failure.detail.contains("constant value 0.0"))
  }

  @Test func `a wrong configuration under a new manifest`() throws {
    for (key, value) in [
      ("rope_theta", 20_000.0), ("sliding_window", 71), ("norm_eps", 1e-4),
      ("window_rule", "flash"), ("eos_token_id", 3),
    ] as [(String, JSONValue)] {
      let original = try Files.text(directory("c/config.json"))
      try edit.configure([key: value])
      try edit.remakeManifest()
      let failure = try failure()
      #expect(failure.name == "provenance")
      #expect(failure.detail.contains(key), "\(failure)")
      try directory.write("c/config.json", original)
    }
  }

  @Test func `another list of window layers`() throws {
    try edit.configure(["attn_layers": [0]])
    let failure = try failure()
    #expect(failure.name == "structure")
    #expect(failure.detail.contains("model.layers.1.attn.gk_proj.0.weight"))
    #expect(failure.detail.contains("missing"))
  }

  @Test func `the wrong source`() throws {
    try TinyModel.llama.synthesize(to: directory("t"), ["num_key_value_heads": 4], seed: 2)
    let results = try verify(directory("c"), source: directory("t"))
    let failure = try #require(results.first { $0.outcome == .failed })
    #expect(failure.name == "provenance")
    #expect(failure.detail.contains("model.embeddings.weight"))
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func `a number that is none, by its place`(_ value: Float) throws {
    try edit.overwrite(name, element: 5 * 64 + 7, with: [value])
    try edit.remakeManifest()
    let failure = try failure(source: false)
    #expect(failure.name == "values")
    #expect(failure.detail.contains("\(name) in "))
    #expect(failure.detail.hasSuffix("holds \(value) at [5, 7]"))
  }

  @Test func `finite weights that overflow, by their layer`() throws {
    let name = "model.layers.1.mlp.down_proj.weight"
    try edit.overwrite(name, with: [Float](repeating: 3e38, count: 112 * 64))
    try edit.remakeManifest()
    let failure = try failure(source: false)
    #expect(failure.name == "logits")
    #expect(failure.detail.contains(name))
  }
}
