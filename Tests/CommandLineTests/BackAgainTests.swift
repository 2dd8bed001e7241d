import Checkpoints
import Foundation
import StrictJSON
import TestSupport
import Testing

/// Models that come back from PyTorch as a user meets them: trained by another program, or as adapters.
struct BackAgainTests {
  private let directory: TemporaryDirectory
  private static let source = Repository.fixture("sources/phi3")
  private static let adapter = Repository.fixture("adapters/phi3")

  init() throws { directory = try TemporaryDirectory() }

  /// The steps that the manifest in `path` records, the last first.
  private func steps(_ path: String) throws -> [String] {
    try Manifest(directory: directory(path)).steps.reversed().map(\.name.rawValue)
  }

  @Test func `what a training wrote goes on, and is known as that`() throws {
    try TinyModel.synthesize(TinyModel.configuration("gla_swa"), to: directory("s"))
    try Program.run("export", directory("s"), directory("x"), "--profile", "hf").succeeded()
    #expect(try steps("x") == ["export", "synthesize"])
    // Tensors in another order and a key of transformers, as save_pretrained leaves a directory.
    let manifest = try Files.bytes(directory("x/manifest.json"))
    let edit = CheckpointEdit(directory("x"))
    try edit.rewrite { $0.reverse() }
    try edit.overwrite("model.norm.weight", with: [Float](repeating: 0.5, count: 8))
    try edit.configure(["transformers_version": "5.23.0", "dtype": "float32"])
    try directory.write("x/manifest-before.json", manifest)
    let change = "weights were changed outside since step 2 (export)"
    #expect(try Program.run("inspect", directory("x")).succeeded().text.contains(change))
    let verified = try Program.run("verify", directory("x")).succeeded()
    #expect(verified.text.contains("skip  hashes: there is no manifest.json; \(change)"))

    let next = try Program.run(
      "export", directory("x"), directory("y"), "--profile", "spikingbrain")
    #expect(next.succeeded().error.contains(change))
    #expect(try steps("y") == ["export", "outside", "export", "synthesize"])
    let card = String(decoding: try Files.bytes(directory("y/README.md")), as: UTF8.self)
    #expect(card.contains("| outside | \(change) |"))
    let against = try Program.run("verify", directory("y"), "--source", directory("x"))
    #expect(!against.succeeded().text.contains("skip"))

    // Beside other files the manifest of before is none of theirs, whatever its name.
    try directory.write("x/manifest.json", manifest)
    let failed = try Program.run("verify", directory("x"))
    #expect(failed.code == 1)
    #expect(failed.text.contains(change) && failed.text.contains("manifest-before.json"))
  }

  @Test func `an adapter is merged, recorded and verified`() throws {
    for command in [["convert", "--window", "8"], ["export", "--profile", "hf"]] {
      let out = directory(command[0])
      let made = try Program.run(
        [command[0], Self.source, out, "--lora", Self.adapter] + command.dropFirst())
      #expect(made.succeeded().error.contains("A LoRA adapter is merged"))
      let manifest = try Manifest(directory: out)
      let digest = try SHA256.hashFile(Self.adapter + "/adapter_model.safetensors").digest.hex
      #expect(manifest.source["adapter"]?["sha256"]?.string == digest)
      #expect(manifest.transforms.values.contains { $0.kind == "merged" })
      let verified = try Program.run(
        "verify", out, "--source", Self.source, "--lora", Self.adapter)
      #expect(verified.succeeded().text.contains("merged with the adapter as recorded"))
      let without = try Program.run("verify", out, "--source", Self.source)
      #expect(without.code == 1 && without.text.contains("give it as --lora"))
      let other = try Program.run(
        "verify", out, "--source", Self.source, "--lora", Repository.fixture("adapters/biases"))
      #expect(other.code == 2)
    }
  }

  @Test func `adapters and models are not taken for each other`() throws {
    try Program.run("convert", Self.adapter, directory("o"))
      .refused(naming: Self.adapter, "adapter for phi3", "--lora DIR")
    try Program.run("convert", Self.source, directory("o"), "--lora", Self.source)
      .refused(naming: Self.source, "is a model")
    try Program.run("convert", Self.source, directory("o"), "--lora", directory("none"))
      .refused(naming: directory("none"), "adapter_config.json")
    try Program.run("verify", Self.source, "--lora", Self.adapter)
      .refused(naming: "--lora", "--source")
    #expect(directory.names.isEmpty)
  }
}
