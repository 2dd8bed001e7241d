import Foundation
import TensorTypes
import TestSupport
import Testing

@testable import Checkpoints

/// Files written by the reference libraries (`Tests/Reference/checkpoints/make_valid.py`).
@Suite struct ValidFileTests {
  private let ramp: [Float] = [0, 0.125, 0.25, 0.375, 0.5, 0.625]

  /// What `every_type` of make_valid.py wrote.
  private func expectEveryType(_ file: some CheckpointReader) throws {
    for type in ["f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u8", "bool"] {
      let tensor = try #require(file.tensor(named: type))
      #expect(tensor.type.storedName == type.uppercased())
      #expect(tensor.shape == [2, 3])
    }
    #expect(elements(try file.view("f32"), as: Float.self) == ramp)
    #expect(elements(try file.view("f64"), as: Double.self) == ramp.map(Double.init))
    #expect(elements(try file.view("i16"), as: Int16.self) == [0, 1, 2, 3, 4, 5])
    #expect(elements(try file.view("scalar"), as: Float.self) == [7])
    #expect(try file.view("scalar").shape == [])
    #expect(try file.view("empty").bytes.isEmpty)
    #expect(try file.view("empty").shape == [0, 4])
  }

  @Test func safetensorsFileWithEveryType() throws {
    let file = try SafetensorsFile(path: formatsPath("safetensors/valid/types.safetensors"))
    #expect(file.metadata == ["format": "pt", "note": "é\n"])
    #expect(file.tensors.count == 12)
    #expect(file.tensors.last?.end == Int(try contents(file.files[0]).count))
    try expectEveryType(file)
  }

  @Test func shardedSafetensorsDirectory() throws {
    let model = try SafetensorsCheckpoint(path: formatsPath("safetensors/valid/sharded"))
    #expect(
      model.files.map { URL(fileURLWithPath: $0).lastPathComponent } == [
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
      ])
    #expect(model.tensors.map(\.name) == ["a.weight", "b.weight", "c.weight"])
    #expect(elements(try model.view("a.weight"), as: Float.self) == ramp)
    #expect(try model.view("c.weight").type == .bfloat16)
  }

  @Test(arguments: ["types.pt", "wrapped.pt", "protocol-4.pt", "nested.pt"])
  func pyTorchFileWithEveryType(_ name: String) throws {
    let file = try PyTorchFile(path: formatsPath("pytorch/valid/\(name)"))
    try expectEveryType(file)
    #expect(elements(try file.view("transposed"), as: Float.self) == [0, 3, 1, 4, 2, 5])
    #expect(elements(try file.view("column"), as: Float.self) == [1, 4])
    #expect(elements(try file.view("second row"), as: Float.self) == [3, 4, 5])
    #expect(elements(try file.view("parameter"), as: Float.self) == ramp)
    #expect(file.tensor(named: "not a tensor") == nil)
  }

  @Test func shardedPyTorchDirectory() throws {
    let model = try PyTorchCheckpoint(path: formatsPath("pytorch/valid/sharded"))
    #expect(model.tensors.map(\.name) == ["a.weight", "b.weight", "c.weight"])
    #expect(elements(try model.view("a.weight"), as: Float.self) == ramp)
    #expect(try model.view("c.weight").type == .bfloat16)
  }

  @Test func checksums() {
    // The published check value, and that of the empty text.
    #expect(Array("123456789".utf8).withUnsafeBytes(CRC32.checksum) == 0xcbf4_3926)
    #expect([UInt8]().withUnsafeBytes(CRC32.checksum) == 0)
  }

  @Test func ggufFileWithEveryType() throws {
    let file = try GGUFFile(path: formatsPath("gguf/valid/types.gguf"))
    let metadata = file.metadata
    #expect(metadata.string("general.architecture") == "llama")
    #expect(metadata.int("test.u8") == 200)
    #expect(metadata.int("test.i8") == -100)
    #expect(metadata.int("test.u16") == 60000)
    #expect(metadata.int("test.i16") == -30000)
    #expect(metadata.int("test.u32") == 4_000_000_000)
    #expect(metadata.int("test.i32") == -2_000_000_000)
    #expect(metadata["test.u64"] == .unsigned(1 << 63 + 1))
    #expect(metadata.int("test.u64") == nil)
    #expect(metadata.int("test.i64") == -(1 << 62))
    #expect(metadata.double("test.f32") == 1e-5)
    #expect(metadata.double("test.f64") == 0.1)
    #expect(metadata.bool("test.bool") == true)
    #expect(metadata.string("test.string") == "é\n")
    #expect(metadata.ints("test.ints") == [1, 2, 3])
    #expect(metadata.strings("test.strings") == ["a", "", "ö"])
    #expect(metadata.doubles("test.floats") == [0.5, 1e-6])
    #expect(metadata.array("test.nested")?.count == 2)
    for type in ["f64", "f32", "f16", "i64", "i32", "i16", "i8"] {
      let tensor = try #require(file.tensor(named: type))
      #expect(tensor.type.storedName == type.uppercased())
      #expect(tensor.shape == [2, 3])
    }
    for type in ["bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q4_k", "q5_k", "q6_k"] {
      let tensor = try #require(file.tensor(named: type))
      #expect(tensor.type.storedName == type.uppercased())
      #expect(tensor.shape == (type.hasSuffix("k") ? [2, 256] : [2, 64]))
      #expect(tensor.offset % 32 == 0)
    }
    #expect(elements(try file.view("f32"), as: Float.self) == ramp)
    #expect(try file.view("q6_k").bytes.elementsEqual((0..<420).map { UInt8($0 % 251) }))
  }

  /// Version 2 differs from 3 only in not knowing big-endian files; bytes after the data are
  /// padding.
  @Test func ggufVersion2WithTrailingBytes() throws {
    let directory = try TemporaryDirectory()
    var bytes = try contents(formatsPath("gguf/valid/types.gguf"))
    bytes[4] = 2
    let file = try GGUFFile(path: try directory.write("v2.gguf", bytes + [0, 0, 0]))
    #expect(file.version == 2)
    let original = try GGUFFile(path: formatsPath("gguf/valid/types.gguf"))
    #expect(file.tensors.map(\.name) == original.tensors.map(\.name))
    #expect(file.tensors.map(\.offset) == original.tensors.map(\.offset))
  }

  /// The real model, when the environment names it.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["SMOLLM2_GGUF"] != nil))
  func smolLM2() throws {
    let path = try #require(ProcessInfo.processInfo.environment["SMOLLM2_GGUF"])
    let file = try GGUFFile(path: path)
    #expect(file.metadata.string("general.architecture") == "llama")
    #expect(file.metadata.strings("tokenizer.ggml.tokens")?.count == 49152)
    #expect(file.tensors.count == 272)
    #expect(file.tensor(named: "blk.0.attn_q.weight")?.shape == [576, 576])
    #expect(file.tensor(named: "token_embd.weight")?.shape == [49152, 576])
    #expect(file.metadata.double("llama.attention.layer_norm_rms_epsilon") == 1e-5)
    #expect(file.metadata.int("llama.attention.head_count_kv") == 3)
    #expect(file.tensors.count { $0.type == .q4_1 } == 210)
  }
}
