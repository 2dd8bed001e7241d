import Architectures
import Kernels
import Mixers
import StrictJSON
import TensorTypes
import TestSupport
import Testing
import Tokenization

@testable import ModelFiles

/// GGUF files opened as models.
struct GGUFTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func open(_ writer: GGUFWriter) throws -> ModelFile {
    try ModelFile.open(directory.write("m.gguf", writer.bytes))
  }

  /// The decoded values of every tensor, by directory name.
  private func values(_ file: ModelFile) throws -> [String: [Float]] {
    var values: [String: [Float]] = [:]
    for requirement in file.description.requirements {
      let view = try file.view(requirement.address)
      let decoded = [Float](unsafeUninitializedCapacity: view.rows * view.columns) {
        buffer, count in
        if let start = buffer.baseAddress {
          RowDecoder.decode(view, rows: 0..<view.rows, into: start)
        }
        count = view.rows * view.columns
      }
      values[file.architecture.names.name(of: requirement.address) ?? ""] = decoded
    }
    return values
  }

  @Test(arguments: [
    (TinyModel.llama, "llama"), (.llamaBias, "llama"), (.qwen2, "qwen2"), (.qwen2Tied, "qwen2"),
    (.qwen3, "qwen3"),
  ])
  func `hold the model of their directory`(_ model: TinyModel, _ architecture: String) throws {
    try model.synthesize(to: directory("hf"))
    let source = try ModelFile.open(directory("hf"))
    let gguf = try GGUFModel(directory("hf"), as: architecture)
    let file = try open(gguf.writer)
    #expect(file.problems == [])
    #expect(file.description == source.description)
    #expect(try values(file) == gguf.values)
  }

  @Test func `q and k of architecture llama are put back in half-split order`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    let gguf = try GGUFModel(directory("hf"), as: "llama", quantised: true)
    let file = try open(gguf.writer)
    #expect(file.types.map(\.type).contains(.q8_0))
    let name = "model.layers.0.self_attn.q_proj.weight"
    #expect(try values(file)[name] == gguf.values[name])
    #expect(try values(file) == gguf.values)
    // The same bytes read as Qwen's would be another model.
    let address = TensorAddress(.query, layer: 0)
    #expect(try file.view(address).rowOrder == .interleavedRotary(headDim: 16))
    #expect(try file.view(TensorAddress(.value, layer: 0)).rowOrder == .stored)
  }

  @Test func `rope_freqs are rotary divisors`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    let divisors = (0..<8).map { 1 + Float($0) / 3 }
    let file = try open(GGUFModel(directory("hf"), as: "llama", divisors: divisors).writer)
    #expect(file.description.rotary.scaling == .divisors(divisors))
    #expect(file.ignored == ["rope_freqs.weight"])
    #expect(file.problems == [])
  }

  @Test func `rope_freqs of another length are refused`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    let writer = try GGUFModel(directory("hf"), as: "llama", divisors: [1, 2, 3]).writer
    #expect(throws: ConfigurationError.self) { try open(writer) }
  }

  @Test func `a window makes architecture llama a Mistral`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    var writer = try GGUFModel(directory("hf"), as: "llama").writer
    writer.set("llama.attention.sliding_window", 8)
    let file = try open(writer)
    #expect(file.architecture.modelType == "mistral")
    #expect(file.description.layers.map(\.mixer.text) == Array(repeating: "window 8", count: 3))
    #expect(try file.view(TensorAddress(.key, layer: 1)).rowOrder != .stored)
  }

  @Test func `head counts may be lists when all layers agree`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    var writer = try GGUFModel(
      directory("hf"), as: "llama", omitting: ["attention.head_count_kv"]
    ).writer
    writer.set("llama.attention.head_count_kv", [2, 2, 2])
    #expect(try open(writer).description.keyValueHeads == 2)
    writer = try GGUFModel(
      directory("hf"), as: "llama", omitting: ["attention.head_count_kv"]
    ).writer
    writer.set("llama.attention.head_count_kv", [2, 4, 2])
    #expect {
      try open(writer)
    } throws: { error in
      "\(error)".contains("llama.attention.head_count_kv") && "\(error)".contains("m.gguf")
    }
  }

  @Test func `partly rotated heads are refused`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    var writer = try GGUFModel(
      directory("hf"), as: "llama", omitting: ["rope.dimension_count"]
    ).writer
    writer.set("llama.rope.dimension_count", 8)
    #expect { try open(writer) } throws: { "\($0)".contains("llama.rope.dimension_count") }
  }

  @Test func `other architectures are refused by name`() throws {
    var writer = GGUFWriter()
    writer.set("general.architecture", "gpt2")
    #expect {
      try open(writer)
    } throws: { error in
      "\(error)".contains("\"gpt2\"") && "\(error)".contains("gemma3, llama, olmo2")
    }
    #expect { try open(GGUFWriter()) } throws: { "\($0)".contains("general.architecture") }
  }

  @Test func `the tokenizer is in the file`() throws {
    try TinyModel.llama.synthesize(to: directory("hf"))
    let file = try open(GGUFModel(directory("hf"), as: "llama").writer)
    let tokenizer = try file.tokenizer.load()
    let ids = tokenizer.encode("Hi there", addSpecialTokens: false)
    #expect(ids.count == 7)
    #expect(tokenizer.decode(ids) == "Hi there")
    #expect(try file.endTokens() == [2])
  }
}
