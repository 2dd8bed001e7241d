import Architectures
import Checkpoints
import Exports
import Foundation
import ModelFiles
import StepSettings
import TestSupport
import Testing

@testable import Verification

/// Checkpoints cut for ranks pass every check, and what one rank holds wrongly is found.
struct MegatronTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// The model of a configuration, seeded, in `s`; cut for ranks in `m`.
  private func cut(
    _ name: String, tensor: Int, pipeline: Int, expert: Int, profile: String = "megatron-torch"
  ) throws {
    try TinyModel.synthesize(TinyModel.configuration(name), to: directory("s"))
    var settings = ExportSettings(profile: profile)
    settings.topology.tensor = tensor
    settings.topology.pipeline = pipeline
    settings.topology.expert = expert
    let file = try ModelFile.open(directory("s"))
    try TinyModel.write(
      ExportProfiles.plan(file, settings: settings), to: directory("m"),
      inputs: [directory("s")] + file.stored.files)
  }

  @Test(arguments: [
    ("qwen2-tied", 2, 3, 1, "megatron-torch"), ("gla_swa", 2, 1, 1, "megatron-torch"),
    ("intra-layer", 1, 2, 4, "megatron-torch"), ("qwen2-tied", 2, 3, 1, "megatron-dist"),
    ("gla_swa", 2, 1, 1, "megatron-dist"), ("intra-layer", 2, 1, 4, "megatron-dist"),
  ])
  func `every check passes with the source`(
    _ name: String, tensor: Int, pipeline: Int, expert: Int, profile: String
  ) throws {
    try cut(name, tensor: tensor, pipeline: pipeline, expert: expert, profile: profile)
    let results = try verify(directory("m"), source: directory("s"))
    for result in results { #expect(result.outcome == .passed, "\(result)") }
    let names = results.map(\.name)
    for check in ["hashes", "provenance", ReassemblyCheck.name, "logits", SourceCheck.name] {
      #expect(names.contains(check), "\(names)")
    }
    let alone = try verify(directory("m"), source: nil)
    #expect(alone.first { $0.name == ReassemblyCheck.name }?.outcome == .passed)
  }

  /// Overwrites bytes of a stored tensor, its checksum and the manifest's hash as one who hides it.
  private func damage(_ name: String) throws {
    let stored = try MegatronCheckpoint(path: directory("m"))
    let tensor = try #require(stored.tensor(named: name))
    var bytes = try Files.bytes(tensor.file)
    let original = Array(bytes[tensor.offset..<tensor.end])
    bytes[tensor.offset] ^= 1
    // Its checksum follows it, and is in the directory at the end.
    let old = original.withUnsafeBytes { CRC32.checksum($0) }
    let new = bytes[tensor.offset..<tensor.end].withUnsafeBytes { CRC32.checksum($0) }
    func four(_ number: UInt32) -> [UInt8] { withUnsafeBytes(of: number.littleEndian, Array.init) }
    var count = 0
    for index in tensor.end..<bytes.count - 4
    where Array(bytes[index..<index + 4]) == four(old) {
      bytes.replaceSubrange(index..<index + 4, with: four(new))
      count += 1
    }
    #expect(count == 2)
    try Data(bytes).write(to: URL(fileURLWithPath: tensor.file))
    try CheckpointEdit(directory("m")).remakeManifest()
  }

  @Test func `a rank that holds other bytes than the others is named`() throws {
    try cut("intra-layer", tensor: 1, pipeline: 2, expert: 4)
    let name = "mp_rank_00_001_002/decoder.layers.1.mlp.router.weight"
    try damage(name)
    let results = try verify(directory("m"), source: nil)
    let failed = try #require(results.first { $0.outcome == .failed })
    #expect(failed.name == ReassemblyCheck.name && failed.detail.contains(name), "\(failed)")
  }

  @Test func `a part that only one rank holds is compared with the source`() throws {
    try cut("qwen2-tied", tensor: 2, pipeline: 1, expert: 1)
    try damage("mp_rank_01/decoder.layers.1.mlp.linear_fc2.weight")
    let source = try ModelFile.open(directory("s")), file = try ModelFile.open(directory("m"))
    let result = try ReassemblyCheck(file: file, source: source).run()
    #expect(result.outcome == .failed)
    #expect(result.detail.contains("model.layers.1.mlp.down_proj.weight"), "\(result)")
    #expect(
      try verify(directory("m"), source: directory("s")).contains {
        $0.outcome == .failed && $0.name == "provenance"
      })
  }
}
