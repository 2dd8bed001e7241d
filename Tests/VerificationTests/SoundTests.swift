import Architectures
import Conversion
import Foundations
import Mixers
import ModelFiles
import Runtime
import StepSettings
import StrictJSON
import TestSupport
import Testing

@testable import Verification

/// What is right passes, and is seen to have been checked.
struct SoundTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: TinyModel.allCases)
  func `a conversion passes every check with its source`(_ model: TinyModel) throws {
    try model.synthesize(to: directory("s"))
    try TinyModel.convert(directory("s"), to: directory("c")) { $0.window = 70 }
    let results = try verify(directory("c"), source: directory("s"))
    #expect(
      results.map(\.name) == [
        "structure", "hashes", "provenance", "values", "logits", "prefill = decode",
        "state save/restore", SourceCheck.name,
      ])
    for result in results { #expect(result.outcome == .passed, "\(result)") }
  }

  @Test(arguments: OutputType.allCases)
  func `so does one that casts`(_ type: OutputType) throws {
    try TinyModel.qwen2Tied.synthesize(to: directory("s"), type: .bfloat16)
    try TinyModel.convert(directory("s"), to: directory("c")) {
      $0.dtype = type
      $0.window = 6
      $0.windowRule = .flash
      $0.gateBias = -2
      $0.seed = 9
    }
    let results = try verify(directory("c"), source: directory("s"))
    for result in results { #expect(result.outcome == .passed, "\(result)") }
  }

  @Test func `and one from a quantised GGUF file`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    let gguf = try GGUFModel(directory("hf"), as: "llama", quantised: true)
    try directory.write("m.gguf", gguf.writer.bytes)
    for type in [OutputType.keep, .float32] {
      try TinyModel.convert(directory("m.gguf"), to: directory("c-\(type)")) { $0.dtype = type }
      let results = try verify(directory("c-\(type)"), source: directory("m.gguf"))
      for result in results { #expect(result.outcome == .passed, "\(result)") }
    }
  }

  @Test func `and one with full-attention layers, in many shards`() throws {
    try TinyModel.qwen3.synthesize(to: directory("s"), shardSize: 50_000)
    try TinyModel.convert(directory("s"), to: directory("c")) {
      $0.fullAttentionLayers = .list([0])
      $0.shardSize = ByteSize(60_000)
    }
    let results = try verify(directory("c"), source: directory("s"))
    for result in results { #expect(result.outcome == .passed, "\(result)") }
  }

  @Test func `what cannot be checked is skipped, in words`() throws {
    try TinyModel.llama.synthesize(to: directory("s"))
    let results = try verify(directory("s"))
    let skipped = results.filter { $0.outcome == .skipped }
    #expect(skipped.map(\.name) == ["provenance", SourceCheck.name])
    for result in skipped { #expect(result.detail.contains("--source")) }
    try Files.remove(directory("s/manifest.json"))
    #expect(try verify(directory("s")).contains { $0.name == "hashes" && $0.outcome == .skipped })
  }

  @Test(arguments: [
    (VerificationLevel.structure, 1), (.hashes, 3), (.values, 4), (.logits, 8),
  ])
  func `levels are cumulative`(_ level: VerificationLevel, _ count: Int) throws {
    try TinyModel.llama.synthesize(to: directory("s"))
    try TinyModel.convert(directory("s"), to: directory("c"))
    #expect(try verify(directory("c"), source: directory("s"), level: level).count == count)
  }

  @Test func `layer by layer it finds the same`() throws {
    try TinyModel.llama.synthesize(to: directory("s"))
    try TinyModel.convert(directory("s"), to: directory("c"))
    let results = try verify(directory("c"), source: directory("s"), residency: .bounded(bytes: 1))
    for result in results { #expect(result.outcome == .passed, "\(result)") }
  }
}

/// The results of verifying a checkpoint; the returned verdict must match them.
func verify(
  _ path: String, source: String? = nil, level: VerificationLevel = .logits,
  residency: Model.Residency = .whole
) throws -> [CheckResult] {
  var results: [CheckResult] = []
  let verifier = try Verifier(
    ModelFile.open(path), source: source.map(ModelFile.open), residency: residency)
  let passed = try verifier.run(level: level) { results.append($0) }
  #expect(passed == !results.contains { $0.outcome == .failed })
  return results
}
