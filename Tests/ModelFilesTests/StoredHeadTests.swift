import Architectures
import Checkpoints
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import ModelFiles

/// An output head beside a configuration that says it is the embedding, and the reverse.
struct StoredHeadTests {
  private let directory: TemporaryDirectory
  private let edit: CheckpointEdit

  init() throws {
    directory = try TemporaryDirectory()
    edit = CheckpointEdit(directory("m"))
    try TinyModel.qwen2Tied.synthesize(to: directory("m"))
  }

  /// Adds a head of the embedding's bytes after `change`.
  private func addHead(_ change: (inout [UInt8]) -> Void = { _ in }) throws {
    try edit.rewrite { tensors in
      guard var head = tensors.first(where: { $0.name == "model.embed_tokens.weight" }) else {
        return
      }
      head.entry.name = "lm_head.weight"
      change(&head.bytes)
      tensors.append(head)
    }
  }

  @Test func `the embedding once more stays tied`() throws {
    try addHead()
    let file = try ModelFile.open(directory("m"))
    #expect(file.problems == [] && file.notes == [])
    #expect(file.description.tiesEmbeddings)
    #expect(file.ignored == ["lm_head.weight"])
  }

  @Test func `a head of its own is used, and told`() throws {
    try addHead { $0[$0.count - 1] ^= 1 }
    let file = try ModelFile.open(directory("m"))
    #expect(file.problems == [])
    #expect(!file.description.tiesEmbeddings && file.ignored == [])
    #expect(file.notes == [StoredHead.note])
    // What is written from it later says the same.
    #expect(file.configuration.object["tie_word_embeddings"] == false)
    #expect(
      try Array(file.view(TensorAddress(.head)).bytes)
        == Array(file.reader.view("lm_head.weight").bytes))
  }

  @Test func `a head of another shape is refused by its shape`() throws {
    try edit.rewrite { $0.append(.init("lm_head.weight", shape: [300, 64])) }
    let file = try ModelFile.open(directory("m"))
    #expect(file.problems.count == 1)
    #expect(file.problems.first?.text.contains("lm_head.weight") == true)
  }

  @Test func `no head although it is not tied is refused with the key`() throws {
    try edit.configure(["tie_word_embeddings": false])
    #expect {
      try ModelFile.open(directory("m")).requireSound()
    } throws: { error in
      "\(error)".contains("lm_head.weight") && "\(error)".contains("tie_word_embeddings")
    }
  }
}
