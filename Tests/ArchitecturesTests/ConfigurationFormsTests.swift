import Architectures
import StrictJSON
import TestSupport
import Testing

/// The same model, as different versions of transformers write its config.json.
struct ConfigurationFormsTests {
  private func describe(
    _ model: TinyModel, _ changes: [String: JSONValue?] = [:]
  ) throws -> ModelDescription {
    let configuration = try model.configuration(changes)
    return try Architectures.of(configuration).describe(configuration)
  }

  @Test func `rope_theta and rope_parameters say the same`() throws {
    let new: JSONValue = ["rope_theta": 10000.0, "rope_type": "default"]
    let four = try describe(.llama)
    let five = try describe(.llama, ["rope_theta": .some(nil), "rope_parameters": new])
    #expect(four == five)
    #expect(four.rotary == RotaryParameters(theta: 10_000))
  }

  @Test func `rope_scaling and rope_parameters say the same`() throws {
    let old: JSONValue = ["type": "linear", "factor": 3.0]
    let four = try describe(
      .llamaLinear, ["rope_parameters": .some(nil), "rope_theta": 10000.0, "rope_scaling": old])
    let five = try describe(.llamaLinear)
    #expect(four == five)
    #expect(five.rotary.scaling == .linear(factor: 3))
  }

  @Test func `Llama 3 scaling keeps its four numbers`() throws {
    let expected = RotaryParameters(
      theta: 500_000, scaling: .llama3(factor: 8, low: 1, high: 4, originalPositions: 256))
    #expect(try describe(.llama3).rotary == expected)
  }

  @Test func `rope_scaling that is null or default changes nothing`() throws {
    let plain = try describe(.llama)
    #expect(try describe(.llama, ["rope_scaling": .some(.null)]) == plain)
    #expect(try describe(.llama, ["rope_scaling": ["rope_type": "default"]]) == plain)
  }

  @Test func `the element type's key is not part of the model`() throws {
    let plain = try describe(.qwen2)
    #expect(try describe(.qwen2, ["torch_dtype": "bfloat16"]) == plain)
    #expect(try describe(.qwen2, ["dtype": "bfloat16"]) == plain)
  }

  @Test func `eos_token_id may be one id, a list, or absent`() throws {
    #expect(try describe(.llama, ["eos_token_id": 7]).specialTokens.end == [7])
    #expect(try describe(.llama, ["eos_token_id": [7, 9]]).specialTokens.end == [7, 9])
    #expect(try describe(.llama, ["eos_token_id": .some(.null)]).specialTokens.end == [])
    #expect(try describe(.llama, ["bos_token_id": .some(.null)]).specialTokens.beginning == nil)
  }
}
