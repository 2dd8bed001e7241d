import Checkpoints
import Foundation
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// A way to damage the checkpoint in a directory, which is one file or three shards.
struct Damage: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var shardSize: Int
  var words: [String]
  var apply: @Sendable (TemporaryDirectory) throws -> Void

  init(
    _ name: String, naming words: String..., shardSize: Int = 1 << 30,
    apply: @escaping @Sendable (TemporaryDirectory) throws -> Void
  ) {
    testDescription = name
    self.shardSize = shardSize
    self.words = words
    self.apply = apply
  }
}

extension Damage {
  /// A safetensors file of a given header.
  static func safetensors(_ header: String, bytes: Int) -> [UInt8] {
    let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
    return length + Array(header.utf8) + [UInt8](repeating: 0, count: bytes)
  }

  static let all = [
    Damage("a truncated file", naming: "model.safetensors", "truncated") { directory in
      let bytes = try Files.bytes(directory("s/model.safetensors"))
      try directory.write("s/model.safetensors", Array(bytes.dropLast(1000)))
    },
    Damage("a truncated header", naming: "model.safetensors", "truncated") { directory in
      let bytes = try Files.bytes(directory("s/model.safetensors"))
      try directory.write("s/model.safetensors", Array(bytes.prefix(100)))
    },
    Damage("an empty file", naming: "model.safetensors", "empty") { directory in
      try directory.write("s/model.safetensors", "")
    },
    Damage("overlapping tensors", naming: "model.safetensors", "tensor b", "inside a") {
      try $0.write(
        "s/model.safetensors",
        safetensors(
          #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
            + #""b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, bytes: 12))
    },
    Damage("a header that is no JSON", naming: "model.safetensors") {
      try $0.write("s/model.safetensors", safetensors("{\"a\": oops}", bytes: 4))
    },
    Damage("a missing shard", naming: "index.json", "model-00002-of-", shardSize: 150_000) {
      let names = try FileManager.default.contentsOfDirectory(atPath: $0("s"))
      for name in names where name.hasPrefix("model-00002") { try Files.remove($0("s/" + name)) }
    },
    Damage(
      "an index that leaves its directory", naming: "index.json", "../model-00001-of-",
      shardSize: 150_000
    ) { directory in
      let path = "s/model.safetensors.index.json"
      let text = try Files.text(directory(path))
      try directory.write(
        path, text.replacingOccurrences(of: "\"model-00001-of-", with: "\"../model-00001-of-"))
    },
    Damage(
      "a shape that config.json contradicts", naming: "model.layers.0.mlp.gate_proj.weight",
      "[112, 64]", "[128, 64]"
    ) { try CheckpointEdit($0("s")).configure(["intermediate_size": 128]) },
    Damage("a missing tensor", naming: "model.layers.1.mlp.up_proj.weight", "missing") {
      try CheckpointEdit($0("s")).rewrite {
        $0.removeAll { $0.name == "model.layers.1.mlp.up_proj.weight" }
      }
    },
    Damage("a tensor too many", naming: "model.layers.1.mlp.upp_proj.weight", "did you mean") {
      try CheckpointEdit($0("s")).rewrite {
        $0.append(.init("model.layers.1.mlp.upp_proj.weight", shape: [3]))
      }
    },
    Damage("an unknown architecture", naming: "config.json", "\"mamba\"", "llama, qwen2") {
      try CheckpointEdit($0("s")).configure(["model_type": "mamba"])
    },
    Damage("no config.json", naming: "config.json") { try Files.remove($0("s/config.json")) },
    Damage("a config.json that is no JSON", naming: "s/config.json") {
      try $0.write("s/config.json", "{\"model_type\": llama}")
    },
    Damage("a config.json without a key", naming: "s/config.json", "vocab_size", "missing") {
      try CheckpointEdit($0("s")).configure(["vocab_size": .some(nil)])
    },
    Damage("an unreadable tokenizer", naming: "s/tokenizer.json") {
      try $0.write("s/tokenizer.json", "{\"version\": ")
    },
    Damage("no tensors", naming: "s: holds no checkpoint", "*.gguf") {
      try Files.remove($0("s/model.safetensors"))
    },
    Damage("a broken PyTorch file instead", naming: "pytorch_model.bin: is no sound zip") {
      try Files.remove($0("s/model.safetensors"))
      try $0.write("s/pytorch_model.bin", "PK")
    },
    Damage("no directory", naming: "s: cannot open") { try Files.remove($0("s")) },
  ]
}
