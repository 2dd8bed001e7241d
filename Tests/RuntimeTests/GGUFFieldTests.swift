import Foundations
import ModelFiles
import TestSupport
import Testing

@testable import Runtime

/// Every key that the `gguf` package (0.19) knows below an architecture, set to a value that no file has:
/// it is used, known to change nothing, or refused by its name. None is passed over.
struct GGUFFieldTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Keys that change no logits of these models.
  static let harmless: Set = [
    "context_length", "pooling_type", "classifier.output_labels", "decoder_start_token_id",
    "rope.scaling.original_context_length", "rope.scaling.finetuned",
    "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "attention.layer_norm_epsilon",
    "attention.group_norm_epsilon", "attention.group_norm_groups",
  ]

  /// Further ones, of architectures whose layers all have experts.
  static let unused = ["qwen3moe": "feed_forward_length", "olmoe": "feed_forward_length"]

  /// Keys that are used at this value: all architectures, and some.
  static let used: [String: [String]] = [
    "": ["rope.freq_base", "rope.scaling.factor", "attention.layer_norm_rms_epsilon"],
    "llama": ["attention.sliding_window"],
    "mixtral": ["attention.sliding_window", "expert_used_count"],
    "qwen3moe": ["expert_used_count"], "olmoe": ["expert_used_count"],
    "gemma2": [
      "attention.sliding_window", "attention.sliding_window_pattern", "attn_logit_softcapping",
      "final_logit_softcapping",
    ],
    "gemma3": [
      "attention.sliding_window", "attention.sliding_window_pattern", "final_logit_softcapping",
      "rope.freq_base_swa",
    ],
  ]

  @Test(arguments: GGUFSource.kinds)
  func `are used, harmless or refused by name`(_ kind: String) throws {
    let model = try GGUFSource(kind, in: directory)
    let base = try logits(model.file())
    let used = Set((GGUFFieldTests.used[""] ?? []) + (GGUFFieldTests.used[kind] ?? []))
    let list = try #require(
      String(validating: Files.bytes(Repository.fixture("gguf-keys.txt")), as: UTF8.self))
    let keys = list.split(separator: "\n").map(String.init)
    #expect(keys.count > 100)
    let harmless = GGUFFieldTests.harmless.union(GGUFFieldTests.unused[kind].map { [$0] } ?? [])
    // At 3 they may be what the model has.
    let others = [
      "expert_used_count": 1, "expert_count": 2, "block_count": 5, "attn_logit_softcapping": 2,
    ]
    for key in keys {
      let name = "\(model.architecture).\(key)"
      do {
        let file = try model.file(changing: key) { $0.set(name, others[key] ?? 3) }
        try file.requireSound()
        let isSame = try difference(logits(file), base) < 1e-6
        if used.contains(key) {
          #expect(!isSame, "\(name) is ignored")
        } else {
          #expect(harmless.contains(key), "\(name) is not refused")
          #expect(isSame, "\(name) is used")
          #expect(file.notes.allSatisfy { !$0.contains("does not know") }, "\(name) is not known")
        }
      } catch let error as any ReportableError {
        // Without the other number of experts it is that which is missing.
        let named = key == "expert_count" && kind == "llama" ? "expert_used_count" : key
        #expect(error.exitCode == 2 && error.description.contains(named), "\(name): \(error)")
        #expect(!used.contains(key) && !harmless.contains(key), "\(name): \(error)")
      }
    }
  }

  private func logits(_ file: ModelFile) throws -> [Float] {
    try Model(file.description, weights: file).logits(GGUFSource.tokens)
  }
}
