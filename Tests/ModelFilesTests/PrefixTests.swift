import Architectures
import Checkpoints
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import ModelFiles

/// The same tensors under one common prefix, or without the name of the part they were saved from.
struct PrefixTests {
  private let directory: TemporaryDirectory
  private let edit: CheckpointEdit

  init() throws {
    directory = try TemporaryDirectory()
    edit = CheckpointEdit(directory("m"))
  }

  private func open(
    _ model: TinyModel, renaming rename: (String) -> String
  ) throws -> ModelFile {
    if Files.exist(directory("m")) { try Files.remove(directory("m")) }
    try model.synthesize(to: directory("m"))
    try edit.rewrite { tensors in
      for index in tensors.indices { tensors[index].entry.name = rename(tensors[index].name) }
    }
    return try ModelFile.open(directory("m"))
  }

  @Test(arguments: [
    "_orig_mod.", "module.", "base_model.model.", "model.", "model.module.", "a.b_1.",
    "_forward_module._fsdp_wrapped_module.",
  ])
  func `a common prefix is read past, and told`(_ prefix: String) throws {
    for model in [TinyModel.llama, .qwen2Tied, .qwen3] {
      let file = try open(model) { prefix + $0 }
      #expect(file.problems == [])
      #expect(file.notes.count == 1 && file.notes[0].contains("begin with \"\(prefix)\""))
      let stored = try file.reader.view(prefix + "model.norm.weight")
      #expect(try Array(file.view(TensorAddress(.finalNorm)).bytes) == Array(stored.bytes))
    }
  }

  @Test func `names without their first part are read, with or without a head`() throws {
    func rename(_ name: String) -> String {
      name.hasPrefix("model.") ? String(name.dropFirst(6)) : name
    }
    for model in [TinyModel.qwen2Tied, .llama] {
      let file = try open(model, renaming: rename)
      #expect(file.problems == [])
      #expect(file.notes.count == 1 && file.notes[0].contains("lack \"model.\""))
    }
    let wrapped = try open(.qwen2Tied) { "encoder." + rename($0) }
    #expect(wrapped.problems == [])
    #expect(wrapped.notes[0].contains("lack \"model.\" and begin with \"encoder.\""))
  }

  @Test func `what is missing or too much under a prefix keeps its name in the file`() throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    try edit.rewrite { tensors in
      tensors.removeAll { $0.name == "model.layers.1.mlp.up_proj.weight" }
      for index in tensors.indices { tensors[index].entry.name = "module." + tensors[index].name }
      tensors.append(.init("module.extra", shape: [2]))
    }
    let names = try ModelFile.open(directory("m")).problems.map(\.text)
    #expect(names.count == 2)
    #expect(names[0].contains("module.model.layers.1.mlp.up_proj.weight"))
    #expect(names[1].contains("module.extra"))
  }

  @Test func `two models side by side are not one`() throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    try edit.rewrite { tensors in
      tensors = ["student.", "teacher."].flatMap { prefix in
        tensors.map { tensor in
          var tensor = tensor
          tensor.entry.name = prefix + tensor.name
          return tensor
        }
      }
    }
    let file = try ModelFile.open(directory("m"))
    #expect(file.problems.count == file.description.requirements.count)
    #expect(throws: ModelFileError.self) { try file.requireSound() }
  }

  @Test(arguments: [
    "model.layers.0.self_attn.q_proj.lora_A.weight",
    "model.layers.0.self_attn.q_proj.base_layer.weight",
  ])
  func `adapters that are not merged are named as such`(_ name: String) throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    try edit.rewrite { $0.append(.init(name, shape: [2, 64])) }
    let file = try ModelFile.open(directory("m"))
    #expect {
      try file.requireSound()
    } throws: { error in
      let error = error as? ModelFileError
      return error?.what.contains("adapter") == true && error?.what.contains(name) == true
        && error?.advice?.contains("merge") == true
    }
  }

  @Test func `adapters under the prefix of PEFT come before what is missing`() throws {
    let file = try open(.llama) { name in
      "base_model.model."
        + (name.contains("q_proj") ? name.replacing("q_proj.", with: "q_proj.base_layer.") : name)
    }
    guard case .adapter? = file.problems.first else {
      Issue.record("\(file.problems)")
      return
    }
  }

  @Test func `many candidates for a prefix do not take long`() throws {
    let file = try open(.llama) { $0 }
    #expect(file.notes == [])
    try edit.rewrite { tensors in
      tensors.removeAll { $0.name == "model.norm.weight" }
      for index in 0..<2000 {
        tensors.append(.init("x\(index).model.embed_tokens.weight", shape: [1]))
      }
    }
    #expect(try ModelFile.open(directory("m")).problems.count == 2001)
  }
}
