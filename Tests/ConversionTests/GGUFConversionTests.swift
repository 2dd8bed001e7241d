import Architectures
import Checkpoints
import Kernels
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing
import Tokenization

@testable import Conversion

/// GGUF sources give the checkpoint that their directory gives.
struct GGUFConversionTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: [(TinyModel.llama, "llama"), (.qwen3, "qwen3")])
  func `unquantised, tensor by tensor`(_ model: TinyModel, _ architecture: String) throws {
    try model.synthesize(to: directory("hf"))
    let gguf = try GGUFModel(directory("hf"), as: architecture)
    try directory.write("m.gguf", gguf.writer.bytes)
    try TinyModel.convert(directory("hf"), to: directory("a"))
    try TinyModel.convert(directory("m.gguf"), to: directory("b"))
    let expected = try Files.bytes(directory("a/model.safetensors"))
    #expect(try Files.bytes(directory("b/model.safetensors")) == expected)
    #expect(Files.exist(directory("b/tokenizer.json")))
    #expect(Files.exist(directory("b/tokenizer_config.json")))
  }

  @Test func `quantised, as the values that the blocks hold`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    let gguf = try GGUFModel(directory("hf"), as: "llama", quantised: true)
    try directory.write("m.gguf", gguf.writer.bytes)
    try TinyModel.convert(directory("m.gguf"), to: directory("c")) { $0.dtype = .float32 }
    let edit = CheckpointEdit(directory("c"))
    for (name, source) in [
      ("model.layers.1.attn.q_proj.weight", "model.layers.1.self_attn.q_proj.weight"),
      ("model.layers.2.attn.k_proj.weight", "model.layers.2.self_attn.k_proj.weight"),
      ("model.layers.0.attn.v_proj.weight", "model.layers.0.self_attn.v_proj.weight"),
      ("model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
      ("model.embeddings.weight", "model.embed_tokens.weight"),
    ] {
      #expect(try edit.floats(name) == gguf.values[source], "\(name)")
    }
    let query = try Manifest(directory: directory("c"))
      .transforms["model.layers.1.attn.q_proj.weight"]
    #expect(query?.kind == .cast && query?.castTypes == [.q8_0])
    #expect(query?["rotary_pairs"] == "de-interleaved" && query?["head_size"] == 16)
  }

  @Test func `rope_freqs become factors of our own layout`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    let divisors = (0..<8).map { 1 + Float($0) / 3 }
    let gguf = try GGUFModel(directory("hf"), as: "llama", divisors: divisors)
    try directory.write("m.gguf", gguf.writer.bytes)
    try TinyModel.convert(directory("m.gguf"), to: directory("c"))
    let converted = try ModelFile.open(directory("c"))
    #expect(converted.problems == [])
    #expect(converted.architecture.modelType == "spikingbrain")
    #expect(converted.description.rotary.scaling == .divisors(divisors))
  }

  @Test func `the tokenizer that is written reads as the file's own`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    try directory.write("m.gguf", GGUFModel(directory("hf"), as: "llama").writer.bytes)
    try TinyModel.convert(directory("m.gguf"), to: directory("c"))
    let own = try ModelFile.open(directory("m.gguf")).tokenizer.load()
    let written = try ModelFile.open(directory("c")).tokenizer.load()
    for text in ["Hello, world", "naïve — 日本", "a b  c\n"] {
      #expect(written.encode(text) == own.encode(text))
    }
    #expect(try ModelFile.open(directory("c")).endTokens() == [2])
  }
}
