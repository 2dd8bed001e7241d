import Checkpoints
import Foundation
import StepSettings
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import Verification

/// Tensors that are missing, too many, misshapen or elsewhere.
struct StructureFaultTests {
  private let directory: TemporaryDirectory
  private let edit: CheckpointEdit
  private let name = "model.layers.1.mlp.up_proj.weight"

  init() throws {
    directory = try TemporaryDirectory()
    edit = CheckpointEdit(directory("c"))
    try TinyModel.llama.synthesize(to: directory("s"))
    try TinyModel.convert(directory("s"), to: directory("c"))
  }

  /// The one result: deeper checks are not tried on what is not sound.
  private func failure() throws -> CheckResult {
    let results = try verify(directory("c"), source: directory("s"))
    #expect(results.count == 1)
    let first = try #require(results.first)
    #expect(first.name == "structure")
    #expect(first.outcome == .failed)
    return first
  }

  @Test func `missing`() throws {
    try edit.rewrite { $0.removeAll { $0.name == name } }
    #expect(try failure().detail == "tensor \(name) [112, 64] is missing")
  }

  @Test func `too many`() throws {
    try edit.rewrite { $0.append(.init("model.layers.1.attn.g_norm.weight", shape: [16])) }
    #expect(try failure().detail.contains("model.layers.1.attn.g_norm.weight"))
  }

  @Test func `misshapen`() throws {
    try edit.rewrite { tensors in
      tensors.removeAll { $0.name == name }
      tensors.append(.init(name, shape: [64, 112]))
    }
    let detail = try failure().detail
    #expect(detail.contains("\(name) in "))
    #expect(detail.contains("has shape [64, 112], the configuration calls for [112, 64]"))
  }

  @Test func `elsewhere than the manifest says`() throws {
    let manifest = try Files.bytes(directory("c/manifest.json"))
    try edit.rewrite { $0.sort { $0.name < $1.name } }
    try directory.write("c/manifest.json", manifest)
    #expect(try failure().detail.contains("lies elsewhere than the manifest says"))
  }

  @Test func `an extra file, a missing file`() throws {
    try directory.write("c/extra.json", "{}")
    let results = try verify(directory("c"))
    #expect(results.last?.name == "provenance")
    #expect(results.contains { $0.outcome == .failed && $0.detail.contains("extra.json") })
    try Files.remove(directory("c/extra.json"))
    try directory.write("s/tokenizer.json", "{}")
    try TinyModel.convert(directory("s"), to: directory("d"))
    try Files.remove(directory("d/tokenizer.json"))
    #expect(
      try verify(directory("d")).contains {
        $0.name == "hashes" && $0.detail.contains("tokenizer.json: missing")
      })
  }

  @Test func `a history that was changed`() throws {
    let text = try Files.text(directory("c/manifest.json"))
    #expect(text.contains("\"window\": \"4096\""))
    try directory.write(
      "c/manifest.json", text.replacingOccurrences(of: "\"4096\"", with: "\"8192\""))
    for source in [nil, directory("s")] {
      let failure = try #require(
        try verify(directory("c"), source: source).first { $0.outcome == .failed })
      #expect(failure.detail.contains("manifest.json was changed after it was written"))
    }
    // Nor is it handed on to what is made from it.
    #expect(throws: CheckpointError.manifestChanged(file: directory("c/manifest.json"))) {
      try TinyModel.upcycle(directory("c"), to: directory("u")) { $0.experts = 2 }
    }
  }

  @Test func `a manifest of an earlier version, without a digest of its own`() throws {
    let manifest = try JSONParser.parse(Files.bytes(directory("c/manifest.json")))
    var old = try #require(manifest.object)
    old["manifest_sha256"] = nil
    try directory.write("c/manifest.json", JSONValue.object(old).pretty)
    let results = try verify(directory("c"))
    #expect(!results.contains { $0.outcome == .failed })
    #expect(results.first?.detail.contains("no sha256 of its own") == true)
  }

  @Test func `a broken manifest is bad input`() throws {
    try directory.write("c/manifest.json", "{}")
    #expect(throws: CheckpointError.self) { try verify(directory("c")) }
  }
}
