import Checkpoints
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import ModelFiles

/// Files and configuration that disagree.
struct StructureTests {
  private let directory: TemporaryDirectory
  private let edit: CheckpointEdit
  private let file: String

  init() throws {
    directory = try TemporaryDirectory()
    edit = CheckpointEdit(directory("m"))
    file = directory("m/model.safetensors")
  }

  private func problems(
    _ model: TinyModel = .llama, _ change: (inout [CheckpointEdit.Tensor]) -> Void
  ) throws -> [ModelFile.StructureProblem] {
    try model.synthesize(to: directory("m"))
    try edit.rewrite(change)
    return try ModelFile.open(directory("m")).problems
  }

  private let name = "model.layers.1.mlp.up_proj.weight"

  @Test func `a missing tensor`() throws {
    let found = try problems { $0.removeAll { $0.name == name } }
    #expect(found == [.missing(name: name, shape: [112, 64])])
  }

  @Test func `a tensor too many, with the name that was meant`() throws {
    let extra = "model.layers.1.mlp.upp_proj.weight"
    let found = try problems { $0.append(.init(extra, shape: [2])) }
    #expect(found == [.unexpected(name: extra, file: file, nearest: name)])
  }

  @Test func `a tensor of another shape`() throws {
    let found = try problems { tensors in
      tensors.removeAll { $0.name == name }
      tensors.append(.init(name, shape: [64, 112]))
    }
    #expect(found == [.shape(name: name, expected: [112, 64], got: [64, 112], file: file)])
  }

  @Test func `a tensor of whole numbers`() throws {
    let found = try problems { tensors in
      for index in tensors.indices where tensors[index].entry.name == name {
        tensors[index].entry.type = .int32
      }
    }
    #expect(found == [.type(name: name, type: .int32, expected: nil, file: file)])
  }

  @Test func `what is missing comes before what is too much`() throws {
    let found = try problems { tensors in
      tensors.removeAll { $0.name == name }
      tensors.append(.init("a", shape: [2]))
      tensors.removeAll { $0.name == "model.norm.weight" }
      tensors.append(.init("model.norm.weight", shape: [63]))
    }
    #expect(found.count == 3)
    #expect(
      found.first == .shape(name: "model.norm.weight", expected: [64], got: [63], file: file))
    #expect(found[1] == .missing(name: name, shape: [112, 64]))
  }

  @Test func `biases that the configuration does not mention`() throws {
    try TinyModel.llamaBias.synthesize(to: directory("m"))
    try edit.configure(["attention_bias": false])
    let found = try ModelFile.open(directory("m")).problems
    #expect(found.count == 12)
    guard case .unexpected(let name, _, _) = found.first else {
      Issue.record("\(found)")
      return
    }
    #expect(name.hasSuffix("bias"))
  }

  @Test func `a layer beyond the configuration`() throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    try edit.configure(["num_hidden_layers": 2])
    let found = try ModelFile.open(directory("m")).problems
    #expect(found.count == 9)
  }

  @Test func `cached frequencies and a tied head are not needed`() throws {
    let frequencies = "model.layers.0.self_attn.rotary_emb.inv_freq"
    try TinyModel.qwen2Tied.synthesize(to: directory("m"))
    try edit.rewrite { tensors in
      tensors.append(.init(frequencies, shape: [8]))
      guard var head = tensors.first(where: { $0.name == "model.embed_tokens.weight" }) else {
        return
      }
      head.entry.name = "lm_head.weight"
      tensors.append(head)
    }
    let opened = try ModelFile.open(directory("m"))
    #expect(opened.problems == [])
    #expect(Set(opened.ignored) == [frequencies, "lm_head.weight"])
  }

  @Test func `only the first is thrown, with the number of others`() throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    try edit.rewrite { $0.removeAll { $0.name.hasSuffix("up_proj.weight") } }
    let opened = try ModelFile.open(directory("m"))
    #expect {
      try opened.requireSound()
    } throws: { error in
      let error = error as? ModelFileError
      return error?.what
        == "tensor model.layers.0.mlp.up_proj.weight [112, 64] is missing (and 2 more problems)"
        && error?.location == directory("m") && error?.advice != nil
    }
  }

  @Test(arguments: [
    ("vocab_size", 300), ("hidden_size", 32), ("intermediate_size", 100), ("num_hidden_layers", 2),
    ("num_hidden_layers", 4), ("num_key_value_heads", 4), ("head_dim", 8),
    ("num_attention_heads", 2),
  ])
  func `a key that the tensors contradict is named`(_ key: String, _ value: Int) throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    try edit.configure([key: .int(value)])
    #expect {
      try ModelFile.open(directory("m")).requireSound()
    } throws: { error in
      (error as? ModelFileError)?.what.contains(key) == true
    }
  }

  @Test func `tensors that are not needed take time by their number, not its square`() throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    try edit.rewrite { tensors in
      for index in 0..<5000 { tensors.append(.init("model.norm.weigh\(index)", shape: [1])) }
    }
    let problems = try ModelFile.open(directory("m")).problems
    #expect(problems.count == 5000)
    // Comparing a name with all others is what takes time: each of these would find the same one.
    let compared = problems.count {
      if case .unexpected(_, _, nearest: "model.norm.weight") = $0 { true } else { false }
    }
    #expect(compared == StructureMatch.mostSuggestions)
  }
}
