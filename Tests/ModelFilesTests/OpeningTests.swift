import Architectures
import Checkpoints
import Mixers
import StrictJSON
import TensorTypes
import TestSupport
import Testing

@testable import ModelFiles

/// A directory opened as a model.
struct OpeningTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: TinyModel.allCases)
  func `a sound directory has no problems`(_ model: TinyModel) throws {
    try model.synthesize(to: directory("m"))
    let file = try ModelFile.open(directory("m"))
    #expect(file.problems == [])
    #expect(file.ignored == [])
    #expect(file.tensors.count == file.description.requirements.count)
    #expect(file.byteCount == file.description.parameterCount * 4)
    #expect(file.types.map(\.type) == [.float32])
    try file.requireSound()
  }

  @Test(arguments: ["gla_swa", "spikingbrain"])
  func `converted layouts open too`(_ name: String) throws {
    try TinyModel.synthesize(TinyModel.configuration(name), to: directory("m"))
    let file = try ModelFile.open(directory("m"))
    #expect(file.problems == [])
    #expect(file.description.modelType == name)
    let isSource = file.architecture.isSource
    #expect(!isSource)
  }

  @Test func `shards, one file, and the file itself are the same model`() throws {
    try TinyModel.qwen2.synthesize(to: directory("one"))
    try TinyModel.qwen2.synthesize(to: directory("many"), shardSize: 100_000)
    let one = try ModelFile.open(directory("one")), many = try ModelFile.open(directory("many"))
    let file = try ModelFile.open(directory("one/model.safetensors"))
    #expect(many.reader.files.count > 2)
    for requirement in one.description.requirements {
      let expected = try Array(one.view(requirement.address).bytes)
      #expect(try Array(many.view(requirement.address).bytes) == expected)
      #expect(try Array(file.view(requirement.address).bytes) == expected)
    }
  }

  @Test func `a tensor that the model does not have is an error`() throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    let file = try ModelFile.open(directory("m"))
    let absent = TensorAddress(.query, .bias, layer: 0)
    #expect(throws: ModelFileError.noTensor(path: directory("m"), address: absent)) {
      try file.view(absent)
    }
  }

  @Test func `a directory without config.json is refused`() throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    try Files.remove(directory("m/config.json"))
    #expect(throws: ModelFileError.noConfiguration(path: directory("m"))) {
      try ModelFile.open(directory("m"))
    }
  }

  @Test(arguments: [
    ("[1]", "must hold a JSON object"), ("{\"a\": }", ""), ("{\"a\":1,\"a\":2}", ""),
  ])
  func `a config.json that is no object is refused`(_ text: String, _ words: String) throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    let file = try directory.write("m/config.json", text)
    #expect {
      try ModelFile.open(directory("m"))
    } throws: { error in
      let error = error as? ModelFileError
      return error?.location == file && error?.what.contains(words) == true
    }
  }

  @Test func `an unknown architecture is refused with those that are known`() throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    try CheckpointEdit(directory("m")).configure(["model_type": "mamba"])
    #expect {
      try ModelFile.open(directory("m"))
    } throws: { error in
      "\(error)".contains("mamba") && "\(error)".contains("qwen3")
        && "\(error)".contains("m/config.json")
    }
  }

  @Test func `end tokens come from both configurations`() throws {
    try TinyModel.llama.synthesize(to: directory("m"), ["eos_token_id": [2, 5]])
    #expect(try ModelFile.open(directory("m")).endTokens() == [2, 5])
    try directory.write("m/generation_config.json", #"{"eos_token_id": [5, 7]}"#)
    #expect(try ModelFile.open(directory("m")).endTokens() == [2, 5, 7])
    try directory.write("m/generation_config.json", #"{"eos_token_id": "x"}"#)
    #expect(throws: ConfigurationError.self) { try ModelFile.open(directory("m")).endTokens() }
  }

  @Test func `what generation_config.json asks for is told where it is not done`() throws {
    try TinyModel.llama.synthesize(to: directory("m"))
    func notes(_ text: String, isGreedy: Bool = true) throws -> String {
      try directory.write("m/generation_config.json", text)
      return try ModelFile.open(directory("m")).generationNotes(isGreedy: isGreedy)
        .joined(separator: "\n")
    }
    let sampled = #"{"do_sample": true, "temperature": 0.6, "top_k": 20, "bos_token_id": 1}"#
    #expect(try notes(sampled).contains("temperature 0.6, top_k 20"))
    #expect(
      try notes(sampled, isGreedy: false) == "note: generation_config.json sets top_k 20: "
        + "transformers applies that, this program does not.")
    #expect(try notes(#"{"repetition_penalty": 1.1}"#).contains("sets repetition_penalty 1.1:"))
    #expect(
      try notes(#"{"repetition_penalty": 1.0, "num_beams": 1, "top_k": 50, "bad_words_ids": null}"#)
        == "")
    #expect(try notes(#"{"boost": 3}"#).contains("keys that this program does not know"))
  }

  @Test func `a merged gate is found by its tensors`() throws {
    try TinyModel.synthesize(TinyModel.configuration("gla_swa"), to: directory("m"))
    try CheckpointEdit(directory("m")).rewrite { tensors in
      tensors.removeAll { $0.name.contains("layers.0.attn.gk_proj") }
      tensors.append(.init("model.layers.0.attn.gk_proj.weight", shape: [32, 64]))
      tensors.append(.init("model.layers.0.attn.gk_proj.bias", shape: [32]))
    }
    let file = try ModelFile.open(directory("m"))
    #expect(file.problems == [])
    #expect(file.description.layers[0].mixer == .gatedLinear(.merged))
    #expect(file.description.layers[2].mixer == .gatedLinear(.lowRank(16)))
  }
}
