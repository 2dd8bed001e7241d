import Checkpoints
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// What a source has beyond the usual is told by `convert` and `inspect`, and `verify --source` agrees.
struct SourceNotesTests {
  private let directory: TemporaryDirectory
  private let edit: CheckpointEdit

  init() throws {
    directory = try TemporaryDirectory()
    edit = CheckpointEdit(directory("m"))
  }

  /// Converts and verifies the source; expects `words` in the note that all of them tell.
  private func expectNote(_ words: String) throws {
    let source = directory("m"), output = directory("o")
    let inspected = try Program.run("inspect", source)
    #expect(inspected.code == 0, "\(inspected)")
    #expect(inspected.text.contains("note: ") && inspected.text.contains(words), "\(inspected)")
    let converted = try Program.run("convert", source, output, "--window", "8")
    #expect(converted.code == 0, "\(converted)")
    #expect(converted.error.contains(words), "\(converted)")
    let recorded = words.replacing("\"", with: "\\\"")
    #expect(try Files.text(output + "/manifest.json").contains(recorded))
    let verified = try Program.run("verify", output, "--source", source)
    #expect(verified.code == 0, "\(verified)")
  }

  @Test func `a common prefix of names`() throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    try edit.rewrite { tensors in
      for index in tensors.indices { tensors[index].entry.name = "module." + tensors[index].name }
    }
    try expectNote("begin with \"module.\"")
  }

  @Test func `a trained head beside a configuration that ties it`() throws {
    try TinyModel.qwen2Tied.synthesize(to: directory("m"))
    try edit.rewrite { $0.append(.init("lm_head.weight", shape: [320, 64], filledWith: 0.1)) }
    try expectNote("the stored output head differs")
    let same = try CheckpointEdit(directory("o")).floats("lm_head.weight").allSatisfy { $0 == 0.1 }
    #expect(same)
  }

  @Test func `keys that are not known, and a base in two places`() throws {
    try TinyModel.llama.synthesize(to: directory("m"), ["my_key": 1])
    try expectNote("does not know and does not use: my_key")
    try Files.remove(directory("o"))
    try edit.configure(["rope_theta": 3e4, "rope_parameters": ["rope_theta": 5e5]])
    try expectNote("rope_parameters.rope_theta is 500000.0")
    let config = try Files.text(directory("o/config.json"))
    #expect(config.contains("500000"))
  }

  @Test func `what would change the function stops everything, by name`() throws {
    try TinyModel.mistral.synthesize(to: directory("m"))
    try edit.configure(["attn_logit_softcapping": 30.0])
    for arguments in [["inspect", directory("m")], ["convert", directory("m"), directory("o")]] {
      let result = try Program.run(arguments)
      #expect(result.code == 2 && result.errorLines.count == 1, "\(result)")
      #expect(result.error.contains("attn_logit_softcapping"))
    }
    #expect(!Files.exist(directory("o")))
  }
}
