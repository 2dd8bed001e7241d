import Checkpoints
import Foundation
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// Manifests: the same text every time, and every change of a directory found.
@Suite struct ManifestTests {
  private let directory: TemporaryDirectory
  private let manifest: Manifest

  init() throws {
    directory = try TemporaryDirectory()
    let output = try OutputDirectory(begin: directory("out"), fingerprint: [:])
    let plan = try ShardPlan([
      SafetensorsHeader.Entry(name: "b", type: .float32, shape: [2]),
      SafetensorsHeader.Entry(name: "a", type: .float32, shape: [1]),
    ])
    let file = try output.file(named: plan.shards[0].file)
    try file.write(plan.shards[0].header.bytes)
    for tensor in plan.shards[0].header.tensors {
      try file.tensor(tensor.name) {
        try file.write([UInt8](repeating: 7, count: tensor.byteCount))
      }
    }
    let digests = try file.finish().tensors
    try output.write(Array("{}".utf8), to: "sub/config.json")
    let tensors = plan.tensors.map {
      Manifest.Tensor(
        stored: $0,
        origin: Manifest.Origin(tensors: ["x.\($0.name)"], transform: TransformRecord("copy")),
        sha256: digests[$0.name])
    }
    manifest = Manifest(
      tool: Manifest.Tool(name: "spikingbrain", version: "0.1"), source: ["sha256": "s"],
      recipe: ["window": 4096], files: output.finishedFiles, tensors: tensors)
    try output.write(Array(manifest.json.pretty.utf8), to: Manifest.fileName)
    try output.commit()
  }

  private func mismatches() throws -> [Manifest.Mismatch] {
    try manifest.verifyFiles(in: directory("out"))
  }

  @Test func roundTrip() throws {
    let read = try Manifest(directory: directory("out"))
    #expect(read.json == manifest.json)
    #expect(read.json.pretty.utf8.elementsEqual(try contents(directory("out/manifest.json"))))
    #expect(read.tensors.first?.origin.tensors == ["x.b"])
  }

  @Test func orderOfFilesDoesNotMatter() {
    var other = manifest
    other.files.reverse()
    other.tensors.reverse()
    #expect(other.json.pretty == manifest.json.pretty)
  }

  @Test func validVector() throws {
    let path = formatsPath("manifest/valid/manifest.json")
    let vector = try Manifest(path: path)
    #expect(vector.json.pretty.utf8.elementsEqual(try contents(path)))
  }

  @Test func version1IsReadAndWrittenAsThisVersion() throws {
    let old = try Manifest(path: formatsPath("manifest/valid/version-1.json"))
    let new = try Manifest(path: formatsPath("manifest/valid/manifest.json"))
    #expect(old.seal == .whole)
    #expect(old.tensors == new.tensors)
    #expect(old.json == new.json)
  }

  @Test func untouchedDirectoryMatches() throws {
    var seen = 0
    #expect(try manifest.verifyFiles(in: directory("out")) { seen += $0 } == [])
    #expect(seen == manifest.files.reduce(0) { $0 + $1.bytes })
  }

  @Test func flippedBitIsFound() throws {
    var bytes = try contents(directory("out/model.safetensors"))
    let record = try #require(manifest.files.first { $0.name == "model.safetensors" })
    bytes[bytes.count - 1] ^= 1
    try directory.write("out/model.safetensors", bytes)
    #expect(
      try mismatches() == [
        .digest(
          name: record.name, expected: record.sha256, got: SHA256.hash(bytes), tensors: ["a"])
      ])
  }

  @Test func everyBitThatChangesIsFoundWithItsTensor() throws {
    let bytes = try contents(directory("out/model.safetensors"))
    for offset in bytes.indices {
      var changed = bytes
      changed[offset] ^= 0x10
      try directory.write("out/model.safetensors", changed)
      let tensor = manifest.tensors.first {
        ($0.stored.offset..<$0.stored.end).contains(offset)
      }
      let found = try mismatches()
      guard case .digest(_, _, _, let tensors)? = found.first else {
        Issue.record("byte \(offset) was not found")
        continue
      }
      #expect(tensors == (tensor.map { [$0.stored.name] } ?? []))
    }
  }

  @Test func changedSizeIsFound() throws {
    try directory.write("out/sub/config.json", "{}\n")
    #expect(try mismatches() == [.size(name: "sub/config.json", expected: 2, got: 3)])
    #expect(try mismatches()[0].description == "sub/config.json: expected 2 bytes, got 3")
  }

  @Test func missingFileIsFound() throws {
    try FileManager.default.removeItem(atPath: directory("out/sub/config.json"))
    #expect(try mismatches() == [.missing(name: "sub/config.json", expectedBytes: 2)])
  }

  @Test func extraFileIsFound() throws {
    try directory.write("out/sub/model.bin", "x")
    #expect(try mismatches() == [.extra(name: "sub/model.bin")])
  }

  @Test func fileReplacedByDirectoryIsFound() throws {
    try FileManager.default.removeItem(atPath: directory("out/sub/config.json"))
    try directory.write("out/sub/config.json/x", "x")
    #expect(
      try mismatches() == [
        .missing(name: "sub/config.json", expectedBytes: 2),
        .extra(name: "sub/config.json/x"),
      ])
  }

  @Test func missingDirectoryIsAnError() {
    #expect(throws: CheckpointError.self) { try manifest.verifyFiles(in: directory("none")) }
  }

  @Test(arguments: ["\"x.b\"", "4096", "0.1", "copy"])
  func aChangeOfTheManifestItselfIsFound(_ word: String) throws {
    let path = directory("out/manifest.json")
    let text = String(decoding: try contents(path), as: UTF8.self)
    #expect(try Manifest(path: path).seal == .whole)
    let other = ["copy": "cast", "0.1": "0.2"][word] ?? "\"7\""
    let changed = text.replacingOccurrences(of: word, with: other)
    #expect(changed != text)
    try directory.write("out/manifest.json", changed)
    #expect(try Manifest(unsealed: directory("out")).seal == .broken)
    #expect(
      checkpointError { _ = try Manifest(directory: directory("out")) }
        == .manifestChanged(file: path))
  }

  @Test func membersThatNobodyReadsAreSealedToo() throws {
    let text = String(decoding: try contents(directory("out/manifest.json")), as: UTF8.self)
    try directory.write(
      "out/manifest.json",
      text.replacingOccurrences(of: "\"source\":", with: "\"more\": 1,\n  \"source\":"))
    #expect(try Manifest(unsealed: directory("out")).seal == .broken)
  }

  @Test func layoutIsNotSealedAndOldManifestsAreRead() throws {
    try directory.write("out/manifest.json", manifest.json.compact)
    #expect(try Manifest(directory: directory("out")).seal == .whole)
    var old = try #require(manifest.json.object)
    old["manifest_sha256"] = nil
    try directory.write("out/manifest.json", JSONValue.object(old).pretty)
    #expect(try Manifest(directory: directory("out")).seal == .absent)
  }

  @Test func anotherUnicodeFormOfAListedNameIsFound() throws {
    let listed = "caf\u{e9}.txt", other = "cafe\u{301}.txt"
    for name in ["a", listed, other] { try directory.create("d/" + name) }
    try directory.writeManifest("d", of: ["a", listed])
    let manifest = try Manifest(directory: directory("d"))
    let found = try manifest.verifyFiles(in: directory("d"))
    #expect(found == [.lookalike(name: other)])
    #expect(Array(found[0].name.utf8) == Array(other.utf8))
    #expect(found[0].description.contains("looks the same"))
  }
}
