import Foundations
import TensorTypes
import TestSupport
import Testing

@testable import ModelFiles

/// Tensors that are left out because somebody asked for it.
struct LeftOutTests {
  @Test(arguments: [
    ("a.b", "a.b", true), ("a.b", "a.bc", false), ("*", "", true), ("*", "a.b.c", true),
    ("visual.*", "visual.blocks.0.w", true), ("visual.*", "model.visual.w", false),
    ("*.extra", "x.extra.y.extra", true), ("*.extra", "x.extra.y", false),
    ("a.?.w", "a.1.w", true), ("a.?.w", "a.12.w", false), ("a*b*c", "axxbyybzc", true),
    ("a*b*c", "axxbyybz", false), ("", "", true), ("", "a", false), ("a**", "a", true),
  ])
  func `a pattern`(_ pattern: String, _ name: String, _ matches: Bool) {
    #expect(TensorPattern(pattern).matches(name) == matches)
  }

  private let directory: TemporaryDirectory
  private let needed = "model.layers.1.mlp.up_proj.weight"

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.llama.synthesize(to: directory("m"))
    try CheckpointEdit(directory("m")).rewrite {
      for name in ["vision.0.w", "vision.1.w", "model.layers.1.mlp.up_proj.extra"] {
        $0.append(.init(name, shape: [2]))
      }
    }
  }

  private func open(_ patterns: String..., recorded: [String] = []) throws -> ModelFile {
    try ModelFile.open(directory("m")).leavingOut(patterns, recorded: recorded)
  }

  @Test func `what the model has no place for is left out, and told`() throws {
    let file = try open("vision.*", "*.extra")
    #expect(file.problems == [] && file.ignored.count == 3)
    #expect(file.notes.count == 1)
    #expect(file.notes.first?.hasPrefix("3 tensors left out by --ignore-tensors: ") == true)
    #expect(file.leftOut.patterns == ["vision.*", "*.extra"] && file.leftOut.unmatched == [])
    #expect(file.ignoredTensors == ["vision.*", "*.extra"])
    #expect(try open("vision.*").problems.count == 1)
    #expect(try open().notes == [])
  }

  @Test(arguments: ["*", "model.layers.1.mlp.*", "model.layers.1.mlp.up_proj.weight"])
  func `what the model needs is not`(_ pattern: String) throws {
    #expect {
      try open(pattern)
    } throws: { error in
      let text = (error as? any ReportableError)?.what ?? ""
      return text.contains(pattern) && text.contains("which the model needs")
    }
  }

  @Test func `what is recorded need not match`() throws {
    let file = try open(recorded: ["vision.*", "*.extra", "gone.*", "*"])
    #expect(file.problems == [])
    #expect(file.leftOut.patterns == ["vision.*", "*.extra", "*"])
    #expect(try open("gone.*").leftOut.unmatched == ["gone.*"])
  }
}
