import Architectures
import Mixers
import StrictJSON
import TestSupport
import Testing

/// What each architecture takes a missing key to mean.
struct DefaultsTests {
  private let absent: JSONValue? = nil

  private func mixers(
    _ model: TinyModel, _ changes: [String: JSONValue?] = [:]
  ) throws -> [String] {
    try describe(model, changes).layers.map(\.mixer.text)
  }

  private func describe(
    _ model: TinyModel, _ changes: [String: JSONValue?] = [:]
  ) throws -> ModelDescription {
    let configuration = try model.configuration(changes)
    return try Architectures.of(configuration).describe(configuration)
  }

  @Test func `Mistral without a window key has one of 4096, with null none`() throws {
    #expect(try mixers(.mistral) == Array(repeating: "window 8", count: 3))
    #expect(
      try mixers(.mistral, ["sliding_window": absent])
        == Array(repeating: "window 4096", count: 3))
    #expect(
      try mixers(.mistral, ["sliding_window": .some(.null)]) == Array(repeating: "full", count: 3))
  }

  @Test func `head_dim falls back to hidden_size / heads, in Qwen3 to 128`() throws {
    #expect(try describe(.llama).headDim == 16)
    #expect(try describe(.qwen3).headDim == 24)
    #expect(try describe(.qwen3, ["head_dim": absent]).headDim == 128)
    #expect(try describe(.qwen3, ["head_dim": .some(.null)]).headDim == 128)
  }

  @Test func `num_key_value_heads falls back to all heads`() throws {
    #expect(try describe(.llama).keyValueHeads == 2)
    #expect(try describe(.llama, ["num_key_value_heads": absent]).keyValueHeads == 4)
  }

  @Test func `Qwen ignores its window unless use_sliding_window is set`() throws {
    #expect(try mixers(.qwen2, ["sliding_window": 8]) == Array(repeating: "full", count: 3))
    #expect(
      try mixers(.qwen2Windowed, ["use_sliding_window": absent])
        == Array(repeating: "full", count: 4))
    #expect(
      try mixers(.qwen2Windowed, ["sliding_window": .some(.null)])
        == Array(repeating: "full", count: 4))
  }

  @Test func `Qwen windows start at max_window_layers, by default at 28`() throws {
    #expect(try mixers(.qwen2Windowed) == ["full", "full", "window 8", "window 8"])
    #expect(
      try mixers(.qwen2Windowed, ["max_window_layers": 0])
        == Array(repeating: "window 8", count: 4))
    #expect(
      try mixers(.qwen2Windowed, ["max_window_layers": absent])
        == Array(repeating: "full", count: 4))
  }

  @Test func `layer_types outrank max_window_layers`() throws {
    let types: JSONValue = [
      "sliding_attention", "full_attention", "full_attention", "sliding_attention",
    ]
    #expect(
      try mixers(.qwen2Windowed, ["layer_types": types])
        == ["window 8", "full", "full", "window 8"])
  }

  @Test func `biases are the architecture's own`() throws {
    #expect(try describe(.qwen2).biases == .init(queryKeyValue: true))
    #expect(try describe(.qwen3).biases == .init())
    #expect(try describe(.mistral).biases == .init())
    #expect(try describe(.llama).biases == .init())
    #expect(
      try describe(.llamaBias).biases
        == .init(queryKeyValue: true, output: true, feedForward: true))
    #expect(
      try describe(.qwen3, ["attention_bias": true]).biases
        == .init(queryKeyValue: true, output: true))
  }

  @Test func `only Qwen3 norms q and k per head`() throws {
    for model in TinyModel.allCases {
      #expect(try describe(model).hasQueryKeyNorm == (model == .qwen3), "\(model)")
    }
  }

  @Test func `norm epsilon, rope theta and context length have the library's defaults`() throws {
    let model = try describe(
      .llama,
      ["rms_norm_eps": absent, "rope_theta": absent, "max_position_embeddings": absent])
    #expect(model.normEpsilon == 1e-6)
    #expect(model.rotary == RotaryParameters(theta: 10_000))
    #expect(model.maximumPositions == 2048)
    #expect(!model.tiesEmbeddings)
  }

  @Test func `gla_swa without a list has windows of 4096 in the odd layers`() throws {
    let configuration = try TinyModel.configuration(
      "gla_swa", ["attn_layers": absent, "sliding_window": absent])
    #expect(
      try GLASwa.describe(configuration).layers.map(\.mixer.text) == ["gla", "window 4096", "gla"])
  }

  @Test func `gla_swa takes any list of window layers`() throws {
    for (list, expected) in [
      ([0, 2], ["window 6", "gla", "window 6"]), ([], ["gla", "gla", "gla"]),
      ([2, 1, 0], ["window 6", "window 6", "window 6"]),
    ] as [([Int], [String])] {
      let configuration = try TinyModel.configuration("gla_swa", ["attn_layers": .ints(list)])
      #expect(try GLASwa.describe(configuration).layers.map(\.mixer.text) == expected)
    }
  }
}
