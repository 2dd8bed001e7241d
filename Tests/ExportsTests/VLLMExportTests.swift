import Architectures
import Conversion
import ModelFiles
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Exports

/// The profile `vllm`, and `auto_map` in all of them.
struct VLLMExportTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func plan(
    _ path: String, _ profile: String = "vllm", change: (inout ExportSettings) -> Void = { _ in }
  ) throws -> CheckpointPlan {
    var settings = ExportSettings(profile: profile)
    change(&settings)
    return try ExportProfiles.plan(ModelFile.open(path), settings: settings)
  }

  private func publicModel(_ changes: [String: JSONValue?] = [:]) throws -> String {
    try TinyModel.synthesize(TinyModel.configuration("w8aspike", changes), to: directory("m"))
    return directory("m")
  }

  @Test func `the same tensors as hf, without auto_map`() throws {
    let path = try publicModel()
    let hf = try plan(path, "hf") { $0.code = .upstream }, vllm = try plan(path)
    #expect(vllm.tensors.map(\.name) == hf.tensors.map(\.name))
    #expect(vllm.tensors.first?.name == "model.embeddings.weight")
    #expect(vllm.configuration[GLASwa.autoMapKey] == nil)
    var rest = hf.configuration
    #expect(rest[GLASwa.autoMapKey] == GLASwa.autoMap)
    rest[GLASwa.autoMapKey] = nil
    #expect(vllm.configuration == rest)
    #expect(vllm.notes.contains { $0.contains("vllm_hymeta") && $0.contains("0.10.0") })
    try TinyModel.qwen2.synthesize(to: directory("s"))
    #expect(try plan(directory("s")).notes.isEmpty)
  }

  @Test func `hf without auto_map, and with it again`() throws {
    let path = try publicModel()
    #expect(try plan(path, "hf") { $0.autoMap = false }.configuration["auto_map"] == nil)
    try TinyModel.export(path, to: directory("v"), profile: "vllm")
    let again = try plan(directory("v"), "hf") { $0.code = .upstream }
    #expect(again.configuration["auto_map"] == GLASwa.autoMap)
    #expect(try plan(path, "w8a8") { $0.autoMap = false }.configuration["auto_map"] == nil)
  }

  /// 28 query and 4 key/value heads, as the 7B model has.
  @Test func `heads are split among 1, 2, 4 or 28 ranks`() throws {
    let heads = VLLMHeads(query: 28, keyValue: 4)
    #expect(heads.possibleRanks == [1, 2, 4, 28])
    #expect(VLLMHeads(query: 9, keyValue: 3).possibleRanks == [1, 3, 9])
    #expect(VLLMHeads(query: 8, keyValue: 8).possibleRanks == [1, 2, 4, 8])
    try TinyModel.qwen2.synthesize(
      to: directory("s"),
      [
        "hidden_size": 56, "num_attention_heads": 28, "num_key_value_heads": 4,
        "intermediate_size": 64,
      ])
    for ranks in [1, 2, 4] {
      #expect(try plan(directory("s")) { $0.topology.tensor = ranks }.notes.isEmpty)
    }
    let wide = try plan(directory("s")) { $0.topology.tensor = 28 }
    #expect(wide.notes.contains { $0.contains("28 ranks do not divide the feed-forward width 64") })
    for ranks in [3, 7, 8, 14, 56] {
      #expect(
        throws: ExportError.tensorRanks(
          profile: "vllm", asked: ranks, possible: [1, 2, 4, 28], heads: 28, keyValueHeads: 4,
          path: directory("s"))
      ) { try plan(directory("s")) { $0.topology.tensor = ranks } }
    }
    #expect(throws: ExportError.onlyTensorRanks(profile: "vllm")) {
      try plan(directory("s")) { $0.topology.pipeline = 2 }
    }
  }

  @Test func `INT8 and spikes are refused`() throws {
    let path = try publicModel()
    try TinyModel.quantise(path, to: directory("q"), .channel)
    #expect { try plan(directory("q")) } throws: { "\($0)".contains("vllm cannot hold INT8") }
  }
}
