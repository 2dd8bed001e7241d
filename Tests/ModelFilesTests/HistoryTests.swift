import Architectures
import Checkpoints
import Foundation
import StrictJSON
import TestSupport
import Testing

@testable import ModelFiles

/// What manifests say of checkpoints that another program has changed.
struct HistoryTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.synthesize(TinyModel.configuration("gla_swa"), to: path)
  }

  private var path: String { directory("m") }

  private func names(_ reading: History.Reading = .whole) throws -> [String] {
    try ModelFile.open(path).history(reading).steps.map(\.name.rawValue)
  }

  private func change() throws -> String? { try ModelFile.open(path).history(.quick).change }

  /// What training does to a directory: the tensors in a new file, and no manifest.
  private func train() throws {
    try CheckpointEdit(path).rewrite { $0.reverse() }
  }

  @Test func `a manifest is taken at its word where the files are those that it lists`() throws {
    #expect(try names() == ["synthesize"])
    #expect(try change() == nil)
    #expect(try !ModelFile.open(path).history().transforms.isEmpty)
  }

  @Test func `weights changed in place show, whole and at a glance`() throws {
    let edit = CheckpointEdit(path)
    try edit.overwrite("model.norm.weight", element: 0, with: [2])
    #expect(try names() == ["synthesize", "outside"])
    #expect(try change() == "weights were changed outside since step 1 (synthesize)")
    #expect(try ModelFile.open(path).history().transforms.isEmpty)
  }

  @Test func `another file that was changed is named`() throws {
    try CheckpointEdit(path).configure(["sliding_window": 5])
    #expect(try change() == "config.json changed outside since step 1 (synthesize)")
  }

  @Test(arguments: [Manifest.fileName, Manifest.formerName])
  func `a manifest of before, under either name, is the history of what was trained`(
    _ name: String
  ) throws {
    let manifest = try Files.bytes(path + "/manifest.json")
    try train()
    #expect(try change() == "the weights come from outside: no manifest says how they were made")
    try Data(manifest).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    #expect(try names() == ["synthesize", "outside"])
    #expect(try change() == "weights were changed outside since step 1 (synthesize)")
  }

  @Test func `a manifest of another model says nothing`() throws {
    try TinyModel.qwen2.synthesize(to: directory("other"))
    try FileManager.default.copyItem(
      atPath: directory("other/manifest.json"), toPath: path + "/manifest-before.json")
    try train()
    let history = try ModelFile.open(path).history()
    #expect(history.steps.map(\.name) == [.outside])
    #expect(history.notes.contains { $0.contains("other tensors") })
  }

  @Test func `a manifest that was itself changed is an error`() throws {
    let file = path + "/manifest-before.json"
    let text = try #require(String(bytes: Files.bytes(path + "/manifest.json"), encoding: .utf8))
    try train()
    try Data(text.replacing("synthesize", with: "heal").utf8).write(to: URL(fileURLWithPath: file))
    #expect(throws: CheckpointError.manifestChanged(file: file)) {
      try ModelFile.open(path).history()
    }
  }

  @Test func `sources without a manifest have no history`() throws {
    try TinyModel.qwen2.synthesize(to: directory("q"))
    try Files.remove(directory("q/manifest.json"))
    #expect(try ModelFile.open(directory("q")).history().recipe == .null)
  }
}
