import Architectures
import Checkpoints
import Mixers
import ModelFiles
import Runtime
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Verification

/// The comparison of logits with the source, by itself: it knows nothing of manifests and recipes.
struct SourceEqualityTests {
  private let directory: TemporaryDirectory
  private let edit: CheckpointEdit

  init() throws {
    directory = try TemporaryDirectory()
    edit = CheckpointEdit(directory("c"))
  }

  private func make(_ model: TinyModel, _ changes: [String: JSONValue?] = [:]) throws {
    try model.synthesize(to: directory("s"), changes)
    try TinyModel.convert(directory("s"), to: directory("c"))
  }

  private func check(_ source: String = "s") throws -> CheckResult {
    let file = try ModelFile.open(directory("c"))
    return try SourceCheck(
      converted: file, description: file.description.withAllLayers(.window(.init(size: 32))),
      source: ModelFile.open(directory(source)), residency: .whole,
      tokens: LogitsCheck.probe(for: file.description, count: 32)
    ).run()
  }

  @Test(arguments: [
    ("model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.up_proj.weight", "layer 0"),
    ("model.layers.2.attn.q_proj.weight", "model.layers.2.attn.k_proj.weight", "layer 2"),
    ("model.layers.1.attn.q_proj.bias", "model.layers.1.attn.k_proj.bias", "layer 1"),
    ("model.layers.2.attn_norm.weight", "model.layers.2.mlp_norm.weight", "layer 2"),
    ("model.embeddings.weight", "lm_head.weight", "the embeddings"),
  ])
  func `exchanged tensors, by their layer`(
    _ left: String, _ right: String, _ place: String
  ) throws {
    try make(.qwen2, ["num_key_value_heads": 4])
    #expect(try check().outcome == .passed)
    try edit.swap(left, right)
    let result = try check()
    #expect(result.outcome == .failed)
    #expect(result.detail.contains("\(place) differ"), "\(result.detail)")
  }

  @Test func `a head that differs`() throws {
    try make(.qwen2)
    try edit.overwrite("lm_head.weight", element: 64 * 5, with: [9])
    #expect(try check().detail.contains("the output head differs"))
  }

  @Test func `a wrong rope theta`() throws {
    try make(.llama)
    try edit.configure(["rope_theta": 10_500.0])
    let result = try check()
    #expect(result.outcome == .failed)
    #expect(result.detail.contains("layer 0 differs first"))
  }

  @Test func `a lost rope scaling`() throws {
    try make(.llama3)
    try edit.configure(["rope_scaling": .some(.null)])
    #expect(try check().outcome == .failed)
  }

  @Test func `a norm epsilon of another size`() throws {
    try make(.llama)
    try edit.configure(["norm_eps": 1e-2])
    #expect(try check().outcome == .failed)
  }

  @Test func `q and k left in the order of the GGUF file`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    let gguf = try GGUFModel(directory("hf"), as: "llama")
    try directory.write("s.gguf", gguf.writer.bytes)
    try TinyModel.convert(directory("s.gguf"), to: directory("c"))
    #expect(try check("s.gguf").outcome == .passed)
    let stored = try GGUFFile(path: directory("s.gguf"))
    for (role, name) in [("q", "attn_q"), ("k", "attn_k")] {
      let view = try stored.view("blk.1.\(name).weight")
      try edit.overwrite("model.layers.1.attn.\(role)_proj.weight", with: Array(view.bytes))
    }
    let result = try check("s.gguf")
    #expect(result.outcome == .failed)
    #expect(result.detail.contains("layer 1 differs first"))
  }
}
