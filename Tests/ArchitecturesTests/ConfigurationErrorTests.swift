import Architectures
import Foundations
import StrictJSON
import TestSupport
import Testing

/// A wrong configuration is refused with the key and the file.
struct ConfigurationErrorTests {
  /// A configuration with one fault.
  struct Fault: Sendable, CustomTestStringConvertible {
    var base: String
    var key: String
    var value: JSONValue?
    /// What the message must say of it.
    var words: [String]

    init(_ base: String, _ key: String, _ value: JSONValue?, _ words: String...) {
      self.base = base
      self.key = key
      self.value = value
      self.words = words
    }

    var testDescription: String { "\(base): \(key) = \(value?.compact ?? "absent")" }
  }

  @Test(arguments: [
    Fault("llama", "model_type", nil, "model_type", "missing"),
    Fault("llama", "model_type", "falcon", "\"falcon\"", "llama, qwen2, qwen3, qwen3_moe, mistral"),
    Fault("llama", "model_type", 7, "model_type", "a string", "7"),
    Fault("llama", "vocab_size", nil, "vocab_size", "missing"),
    Fault("llama", "vocab_size", .null, "vocab_size", "missing"),
    Fault("llama", "hidden_size", "64", "hidden_size", "an integer", "\"64\""),
    Fault("llama", "hidden_size", 0, "hidden_size", "0", "1 to"),
    Fault("llama", "hidden_size", -64, "hidden_size", "-64"),
    Fault("llama", "hidden_size", 64.5, "hidden_size", "an integer", "64.5"),
    Fault("llama", "hidden_size", 1_000_000_000_000, "hidden_size", "1000000000000"),
    Fault("llama", "intermediate_size", nil, "intermediate_size", "missing"),
    Fault("llama", "num_hidden_layers", nil, "num_hidden_layers", "missing"),
    Fault("llama", "num_hidden_layers", 5000, "num_hidden_layers", "5000", "4096"),
    Fault("llama", "num_attention_heads", 0, "num_attention_heads", "0"),
    Fault("llama", "num_attention_heads", 6, "num_attention_heads (6)", "hidden_size (64)"),
    Fault("llama", "num_key_value_heads", 3, "num_key_value_heads (3)", "(4)"),
    Fault("llama", "head_dim", 15, "head_dim", "even"),
    Fault("llama", "rms_norm_eps", 0, "rms_norm_eps", "more than 0"),
    Fault("llama", "rms_norm_eps", "tiny", "rms_norm_eps", "a number", "tiny"),
    Fault("llama", "rope_theta", -1, "rope_theta", "-1"),
    Fault("llama", "hidden_act", "gelu", "hidden_act", "gelu", "SiLU"),
    Fault("llama", "attention_bias", "yes", "attention_bias", "true or false", "yes"),
    Fault("llama", "tie_word_embeddings", 1, "tie_word_embeddings", "true or false"),
    Fault("llama", "eos_token_id", "</s>", "eos_token_id", "a token id or a list"),
    Fault("llama", "rope_scaling", "linear", "rope_scaling", "an object"),
    Fault("llama", "rope_scaling", ["rope_type": "mrope"], "rope_scaling", "mrope", "llama3"),
    Fault("llama", "rope_scaling", ["rope_type": "yarn"], "factor", "missing"),
    Fault(
      "llama", "rope_scaling",
      ["rope_type": "longrope", "short_factor": [1.0], "long_factor": [1.0]], "short_factor",
      "positive numbers"),
    Fault("llama", "rope_scaling", ["rope_type": "linear"], "factor", "missing"),
    Fault("llama", "rope_scaling", ["type": "linear", "factor": 0], "factor", "more than 0"),
    Fault("llama", "rope_scaling", ["rope_type": "llama3", "factor": 8], "low_freq_factor"),
    Fault("llama", "rope_parameters", ["partial_rotary_factor": 0.5], "partial_rotary_factor"),
    Fault("mistral", "sliding_window", 0, "sliding_window", "0"),
    Fault("qwen2-windowed", "layer_types", ["full_attention"], "layer_types", "1", "4"),
    Fault(
      "qwen2-windowed", "layer_types", ["linear", "linear", "linear", "linear"], "layer_types",
      "linear", "sliding_attention"),
    Fault("gla_swa", "attn_layers", [1, 3], "attn_layers", "3", "0 to 2"),
    Fault("gla_swa", "attn_layers", [-1], "attn_layers", "-1"),
    Fault("gla_swa", "attn_layers", "odd", "attn_layers", "a list of integers"),
    Fault("gla_swa", "window_rule", "both", "window_rule", "both", "report, flash"),
    Fault("spikingbrain", "layout_version", 5, "layout_version", "newer", "up to 4"),
    Fault("spikingbrain", "norm_placement", "sandwich", "norm_placement", "pre, post, both"),
    Fault("spikingbrain", "norm_add_one", 1, "norm_add_one", "true or false"),
    Fault("spikingbrain", "hidden_act", "relu", "hidden_act", "relu", "gelu_pytorch_tanh"),
    Fault("spikingbrain", "rotary_dim", 7, "rotary_dim", "7", "even"),
    Fault("spikingbrain", "rotary_dim", 26, "rotary_dim", "26", "24 channels"),
    Fault("spikingbrain", "partial_rotary_factor", 0.5, "partial_rotary_factor", "rotate"),
    Fault("spikingbrain", "layer_rotary", ["none"], "layer_rotary", "4 layers"),
    Fault(
      "spikingbrain", "layer_rotary", ["some", .null, .null, .null], "layer_rotary[0]", "none"),
    Fault(
      "spikingbrain", "layer_rotary", [["theta": 5], .null, .null, .null], "layer_rotary",
      "rope_theta"),
    Fault("spikingbrain", "embedding_multiplier", 0, "embedding_multiplier", "more than 0"),
    Fault("spikingbrain", "attention_multiplier", -1, "attention_multiplier", "more than 0"),
    Fault("spikingbrain", "final_logit_softcapping", "no", "final_logit_softcapping", "a number"),
    Fault("spikingbrain", "mixer", nil, "mixer", "missing"),
    Fault("spikingbrain", "ffn", nil, "ffn", "missing"),
    Fault("spikingbrain", "mixer", ["gla", "window"], "mixer", "2", "4"),
    Fault("spikingbrain", "mixer", ["gla", "gla", "gla", "rwkv"], "mixer", "rwkv", "full, window"),
    Fault("spikingbrain", "mixer", ["gla", "gla", "gla", 4], "mixer", "a list of strings"),
    Fault("spikingbrain", "ffn", ["dense", "dense", "dense", "moa"], "ffn", "moa", "dense, moe"),
    Fault("spikingbrain", "ffn", ["dense", "dense", "dense", "moe"], "num_experts", "missing"),
    Fault("experts", "num_experts", 0, "num_experts", "0", "1 to"),
    Fault("experts", "num_experts", "five", "num_experts", "an integer", "five"),
    Fault(
      "experts", "num_experts_per_tok", 6, "num_experts_per_tok (6)", "more than num_experts (5)"),
    Fault("experts", "num_experts_per_tok", 0, "num_experts_per_tok", "0"),
    Fault("experts", "num_shared_experts", -1, "num_shared_experts", "-1", "0 to"),
    Fault("experts", "moe_intermediate_size", 0, "moe_intermediate_size", "0"),
    Fault(
      "experts", "shared_expert_intermediate_size", 0, "shared_expert_intermediate_size", "0",
      "1 to"),
    Fault(
      "carved", "num_shared_experts", 0, "shared_expert_intermediate_size is 56",
      "without a shared expert"),
    Fault("experts", "routing_weights", "sum", "routing_weights", "sum", "softmax, one"),
    Fault("experts", "routing_weights", 1, "routing_weights", "a string"),
    Fault("carved", "norm_topk_prob", true, "norm_topk_prob", "routing_weights"),
    Fault("intra-layer", "num_sink_tokens", -1, "num_sink_tokens", "-1", "0 to"),
    Fault("intra-layer", "branch_norm_eps", 0, "branch_norm_eps", "more than 0"),
    Fault("llama", "model_type", "qwen2_moe", "qwen2_moe", "Mixtral", "upcycle"),
    Fault("llama", "model_type", "deepseek_v3", "deepseek_v3", "upcycle"),
    Fault("spikingbrain", "qk_norm", "yes", "qk_norm", "true or false"),
    Fault(
      "spikingbrain", "rope_scaling", ["rope_type": "factors", "factors": [1]], "factors", "12"),
  ])
  func `is refused, naming key and file`(_ fault: Fault) throws {
    let configuration = try TinyModel.configuration(fault.base, [fault.key: fault.value])
    var caught: ConfigurationError?
    do throws(ConfigurationError) {
      _ = try Architectures.of(configuration).describe(configuration)
    } catch {
      caught = error
    }
    let error = try #require(caught, "nothing was refused")
    #expect(error.location == "config.json")
    for word in fault.words { #expect(error.what.contains(word), "\(error.what)") }
    #expect(error.exitCode == 2)
  }

  @Test func `divisors must be positive`() throws {
    let factors = JSONValue.array(Array(repeating: 1.0, count: 11) + [0.0])
    let configuration = try TinyModel.configuration(
      "spikingbrain", ["rope_scaling": ["rope_type": "factors", "factors": factors]])
    #expect(throws: ConfigurationError.self) { try SpikingBrainLayout.describe(configuration) }
  }
}
