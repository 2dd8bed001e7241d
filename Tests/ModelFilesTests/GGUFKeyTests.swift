import Architectures
import Foundation
import Foundations
import TensorTypes
import TestSupport
import Testing

@testable import ModelFiles

/// Metadata of GGUF files: used, harmless, refused by its own name, or told.
struct GGUFKeyTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("hf"))
  }

  /// The model with metadata changed by `change`, without the keys in `omitting`.
  private func open(
    _ architecture: String = "llama", omitting: Set<String> = [],
    change: (inout GGUFWriter) -> Void = { _ in }
  ) throws -> ModelFile {
    if architecture != "llama" {
      try Files.remove(directory("hf"))
      try (architecture == "qwen2" ? TinyModel.qwen2 : .qwen3).synthesize(to: directory("hf"))
    }
    var writer = try GGUFModel(directory("hf"), as: architecture, omitting: omitting).writer
    change(&writer)
    return try ModelFile.open(directory.write("m.gguf", writer.bytes))
  }

  private func refused(
    _ key: String, _ architecture: String = "llama", omitting: Set<String> = [],
    change: (inout GGUFWriter) -> Void = { _ in }
  ) {
    #expect {
      try open(architecture, omitting: omitting, change: change)
    } throws: { error in
      let error = error as? any ReportableError
      return error?.exitCode == 2 && error?.what.contains(key) == true
        && error?.location?.hasSuffix("m.gguf") == true
    }
  }

  @Test(arguments: [
    "embedding_length", "block_count", "feed_forward_length", "attention.head_count",
    "attention.layer_norm_rms_epsilon",
  ])
  func `a required key is missing by its own name`(_ suffix: String) {
    refused("llama.\(suffix)", omitting: [suffix])
  }

  @Test func `values out of range are named by their own key`() {
    refused("llama.block_count", omitting: ["block_count"]) { $0.set("llama.block_count", 0) }
    refused("llama.rope.freq_base", omitting: ["rope.freq_base"]) {
      $0.set("llama.rope.freq_base", "ten thousand")
    }
    refused("llama.attention.head_count_kv", omitting: ["attention.head_count_kv"]) {
      $0.set("llama.attention.head_count_kv", 3)
    }
    refused("llama.vocab_size") { $0.set("llama.vocab_size", 300) }
  }

  @Test func `absent keys mean what llama.cpp takes them to mean`() throws {
    let file = try open(
      "qwen3", omitting: ["attention.key_length", "rope.dimension_count", "rope.freq_base"])
    // Hidden size / heads, where the class in transformers has 128; the tensors are wider.
    #expect(file.description.headDim == 16)
    #expect(file.description.rotary.theta == 10_000)
    #expect(!file.problems.isEmpty)
    #expect(try open(omitting: ["attention.head_count_kv"]).description.keyValueHeads == 4)
  }

  @Test func `a factor without a type is linear scaling, as is the older key`() throws {
    for (type, key) in [
      (nil, "rope.scaling.factor"), ("linear", "rope.scaling.factor"), (nil, "rope.scale_linear"),
    ] as [(String?, String)] {
      let file = try open { writer in
        if let type { writer.set("llama.rope.scaling.type", type) }
        writer.set("llama.\(key)", Float(4))
      }
      #expect(file.description.rotary.scaling == .linear(factor: 4))
      #expect(file.notes == [])
    }
    let none = try open { writer in
      writer.set("llama.rope.scaling.type", "none")
      writer.set("llama.rope.scaling.factor", Float(4))
    }
    #expect(none.description.rotary.scaling == .none)
    refused("llama.rope.scaling.type") { $0.set("llama.rope.scaling.type", "dynamic") }
  }

  /// The keys of YaRN in a file of `architecture`, changed by `change`.
  private func setYarn(
    _ writer: inout GGUFWriter, _ architecture: String = "llama",
    change: [String: Float] = ["factor": 4]
  ) {
    writer.set("\(architecture).rope.scaling.type", "yarn")
    for (key, value) in change { writer.set("\(architecture).rope.scaling.\(key)", value) }
  }

  @Test func `YaRN has llama.cpp's defaults`() throws {
    let file = try open { setYarn(&$0) }
    let rotary = file.description.rotary
    #expect(
      rotary.scaling
        == .yarn(
          factor: 4, fast: 32, slow: 1, truncates: true,
          originalPositions: file.description.maximumPositions))
    #expect(abs(rotary.magnitude - (0.1 * log(4.0) + 1)) < 1e-12)
    #expect(file.notes == [])
  }

  @Test(arguments: [
    "yarn_ext_factor", "yarn_attn_factor", "attn_factor", "yarn_beta_fast", "yarn_beta_slow",
    "original_context_length",
  ])
  func `what YaRN cannot be is refused by its key`(_ key: String) {
    refused("llama.rope.scaling.\(key)") {
      setYarn(&$0, change: ["factor": 4, key: key.hasSuffix("ext_factor") ? 0.5 : -2])
    }
  }

  @Test func `YaRN without a factor, beside divisors or in layers of two kinds`() throws {
    refused("llama.rope.scaling.factor") { setYarn(&$0, change: [:]) }
    refused("llama.rope.scaling.type") {
      setYarn(&$0)
      $0.tensor("rope_freqs.weight", [8], [Float](repeating: 2, count: 8))
    }
    refused("qwen2.rope.scaling.type", "qwen2") { $0.set("qwen2.rope.scaling.type", "longrope") }
  }

  @Test func `LongRoPE's factors are tensors`() throws {
    let short = (0..<8).map { 1 + Float($0) / 8 }, long = short.map { 4 * $0 }
    func set(_ writer: inout GGUFWriter) {
      writer.set("llama.rope.scaling.type", "longrope")
      writer.set("llama.rope.scaling.original_context_length", 16)
      writer.set("llama.rope.scaling.attn_factor", Float(1.25))
      writer.tensor("rope_factors_short.weight", [8], short)
    }
    let file = try open {
      set(&$0)
      $0.tensor("rope_factors_long.weight", [8], long)
    }
    #expect(file.problems == [] && file.notes == [])
    let rotary = file.description.rotary
    #expect(rotary.scaling == .wavelengths(short))
    #expect(rotary.limit == 16 && rotary.magnitude == 1.25)
    refused("rope_factors_long.weight") { set(&$0) }
    refused("llama.rope.scaling.original_context_length") {
      $0.set("llama.rope.scaling.type", "longrope")
    }
    // Without the type they would be passed over.
    let other = try open { $0.tensor("rope_factors_short.weight", [8], short) }
    #expect(other.problems.count == 1)
  }

  @Test func `divisors and a factor are both applied`() throws {
    var writer = try GGUFModel(
      directory("hf"), as: "llama", divisors: [1, 2, 3, 4, 5, 6, 7, 8]
    ).writer
    writer.set("llama.rope.scaling.factor", Float(2))
    let file = try ModelFile.open(directory.write("m.gguf", writer.bytes))
    #expect(file.description.rotary.scaling == .divisors([2, 4, 6, 8, 10, 12, 14, 16]))
  }

  @Test(arguments: [
    "expert_used_count", "attn_logit_softcapping", "final_logit_softcapping",
    "logit_scale", "residual_scale", "embedding_scale", "attention.clamp_kqv",
    "attention.max_alibi_bias", "attention.scale", "rope.scaling.attn_factor",
    "rope.freq_base_swa", "nextn_predict_layers", "attention.value_length",
    "rope.dimension_sections",
  ])
  func `what changes the function is refused by name`(_ suffix: String) {
    refused("llama.\(suffix)") { $0.set("llama.\(suffix)", 3) }
  }

  @Test func `experts need both their numbers, and their tensors`() throws {
    refused("llama.expert_used_count") { $0.set("llama.expert_count", 3) }
    refused("qwen2.expert_count", "qwen2") { $0.set("qwen2.expert_count", 3) }
    let file = try open {
      $0.set("llama.expert_count", 3)
      $0.set("llama.expert_used_count", 2)
    }
    #expect(file.architecture.modelType == "mixtral")
    #expect(file.problems.contains { "\($0)".contains("blk.0.ffn_gate_exps.weight") })
  }

  @Test func `at the values that turn them off they are not`() throws {
    let file = try open { writer in
      for key in ["expert_count", "expert_used_count", "logit_scale", "attn_logit_softcapping"] {
        writer.set("llama.\(key)", 0)
      }
      writer.set("llama.residual_scale", Float(1))
      writer.set("llama.attention.causal", true)
      writer.set("llama.attention.value_length", 16)
      writer.set("llama.attention.scale", Float(0.25))
      writer.set("llama.vocab_size", 320)
      writer.set("llama.tensor_data_layout", "Meta AI original pth")
      writer.set("llama.pooling_type", 3)
      writer.set("llama.attention.sliding_window", 0)
      writer.set("llama.rope.scaling.finetuned", true)
      writer.set("general.name", "x")
      writer.set("quantize.imatrix.file", "x")
    }
    #expect(file.notes == [] && file.problems == [])
    #expect(file.architecture.modelType == "llama")
    refused("llama.attention.causal") { $0.set("llama.attention.causal", false) }
  }

  @Test(arguments: ["qwen2", "qwen3"])
  func `a window of some layers that is not said is refused`(_ architecture: String) {
    refused("\(architecture).attention.sliding_window", architecture) {
      $0.set("\(architecture).attention.sliding_window", 8)
    }
  }

  @Test func `unknown keys are told`() throws {
    let file = try open { $0.set("llama.my_key", 1) }
    #expect(file.notes.count == 1 && file.notes[0].contains("llama.my_key"))
  }

  @Test func `a stored head is used, without one the embedding is`() throws {
    #expect(try !open().description.tiesEmbeddings)
    try Files.remove(directory("hf"))
    try TinyModel.qwen2Tied.synthesize(to: directory("hf"))
    let tied = try ModelFile.open(
      directory.write("t.gguf", GGUFModel(directory("hf"), as: "qwen2").writer.bytes))
    #expect(tied.description.tiesEmbeddings && tied.notes == [])
  }
}
