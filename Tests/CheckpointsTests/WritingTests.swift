import Checkpoints
import Foundation
import StrictJSON
import TensorTypes
import TestSupport
import Testing

/// Headers, shard plans and indexes that we write.
@Suite struct WritingTests {
  private func entry(
    _ name: String, _ type: ScalarType = .float32, _ shape: Shape = [2]
  ) -> SafetensorsHeader.Entry {
    SafetensorsHeader.Entry(name: name, type: type, shape: shape)
  }

  @Test func headerKeepsOrderAndAlignsData() throws {
    let header = try SafetensorsHeader(
      file: "f", entries: [entry("z"), entry("a\"é", .float32, [3, 2]), entry("m", .float32, [])])
    let length = Int(header.bytes[0]) + Int(header.bytes[1]) << 8
    #expect(header.bytes.count == 8 + length)
    #expect(header.bytes.count % 64 == 0)
    let text = String(decoding: header.bytes[8...], as: UTF8.self)
    let json =
      #"{"__metadata__":{"format":"pt"},"z":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
      + #""a\"é":{"dtype":"F32","shape":[3,2],"data_offsets":[8,32]},"#
      + #""m":{"dtype":"F32","shape":[],"data_offsets":[32,36]}}"#
    #expect(text.trimmingCharacters(in: [" "]) == json)
    #expect(header.tensors.map(\.offset) == [0, 8, 32].map { $0 + header.bytes.count })
    #expect(header.fileBytes == header.bytes.count + 36)
  }

  @Test func widerElementsComeFirst() throws {
    let header = try SafetensorsHeader(
      file: "f",
      entries: [
        entry("b1", .int8, [3]), entry("f1"), entry("h1", .bfloat16, [3]), entry("f2"),
        entry("b2", .bool, [1]), entry("d", .float64, [1]),
      ])
    #expect(header.tensors.map(\.name) == ["d", "f1", "f2", "h1", "b1", "b2"])
    for tensor in header.tensors { #expect(tensor.offset % tensor.type.blockBytes == 0) }
  }

  @Test func writtenFileIsReadBack() throws {
    let directory = try TemporaryDirectory()
    let header = try SafetensorsHeader(
      file: "f", entries: [entry("a", .uint8, [5]), entry("e", .float16, [0, 3])])
    let path = try directory.write("f.safetensors", header.bytes + [1, 2, 3, 4, 5])
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata == ["format": "pt"])
    #expect(elements(try file.view("a"), as: UInt8.self) == [1, 2, 3, 4, 5])
    #expect(try file.view("e").shape == [0, 3])
  }

  @Test func unwritableEntriesAreRefused() {
    #expect(throws: CheckpointError.notWritable(tensor: "q", type: .q4_0)) {
      try SafetensorsHeader(file: "f", entries: [entry("q", .q4_0, [32])])
    }
    #expect(throws: CheckpointError.duplicateTensor(tensor: "a", first: "f", second: "f")) {
      try SafetensorsHeader(file: "f", entries: [entry("a"), entry("a")])
    }
    #expect(throws: CheckpointError.self) {
      try SafetensorsHeader(file: "f", entries: [entry("__metadata__")])
    }
    #expect(throws: CheckpointError.self) {
      try SafetensorsHeader(file: "f", entries: [entry("a", .float32, [1 << 40, 1 << 40])])
    }
    #expect(throws: CheckpointError.self) {
      try SafetensorsHeader(
        file: "f",
        entries: [entry("a", .uint8, [1 << 61]), entry("b", .uint8, [1 << 62])])
    }
  }

  @Test func smallModelIsOneFileWithoutIndex() throws {
    let plan = try ShardPlan([entry("a"), entry("b")], limit: 16)
    #expect(plan.shards.map(\.file) == ["model.safetensors"])
    #expect(plan.index == nil)
    #expect(plan.totalSize == 16)
  }

  @Test func shardsAreFilledGreedilyInOrder() throws {
    let plan = try ShardPlan(
      [
        entry("e", .uint8, [4]), entry("d", .uint8, [6]), entry("c", .uint8, [25]),
        entry("b", .uint8, [0]), entry("a", .uint8, [10]),
      ], limit: 10)
    #expect(
      plan.shards.map { $0.header.tensors.map(\.name) } == [["e", "d"], ["c"], ["b", "a"]])
    #expect(plan.shards.map(\.file)[2] == "model-00003-of-00003.safetensors")
    #expect(plan.tensors.allSatisfy { $0.file.hasPrefix("model-0000") })
    let index = """
      {
        "metadata": {
          "total_size": 45
        },
        "weight_map": {
          "a": "model-00003-of-00003.safetensors",
          "b": "model-00003-of-00003.safetensors",
          "c": "model-00002-of-00003.safetensors",
          "d": "model-00001-of-00003.safetensors",
          "e": "model-00001-of-00003.safetensors"
        }
      }

      """
    #expect(plan.index == index)
  }

  @Test func duplicateAcrossShardsIsRefused() {
    #expect(throws: CheckpointError.self) {
      try ShardPlan([entry("a"), entry("b"), entry("a")], limit: 8)
    }
  }

  /// The vector was opened with the reference library (`Tests/Reference/checkpoints/check_written.py`).
  @Test func writtenBytesAreThoseOfTheVector() throws {
    let directory = try TemporaryDirectory()
    let output = try OutputDirectory(begin: directory("out"), fingerprint: [:])
    let plan = try ShardPlan(
      [
        entry("model.embeddings.weight", .bfloat16, [4, 3]), entry("scalar", .float32, []),
        entry("codes", .int8, [3]), entry("empty", .float16, [0, 2]),
        entry("wide", .float64, [2]), entry("naïve \"name\"", .int64, [1]),
      ], limit: 30)
    for shard in plan.shards {
      let file = try output.file(named: shard.file)
      try file.write(shard.header.bytes)
      for tensor in shard.header.tensors {
        try file.write((0..<tensor.byteCount).map { UInt8($0 + tensor.name.utf8.count) })
      }
      #expect(try file.finish().bytes == shard.header.fileBytes)
    }
    try output.write(Array((plan.index ?? "").utf8), to: SafetensorsCheckpoint.indexName)
    try output.commit()
    let vector = formatsPath("safetensors/valid/written")
    if ProcessInfo.processInfo.environment["UPDATE_VECTORS"] != nil {
      try? FileManager.default.removeItem(atPath: vector)
      try FileManager.default.copyItem(atPath: directory("out"), toPath: vector)
    }
    let names = plan.shards.map(\.file) + [SafetensorsCheckpoint.indexName]
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory("out")).sorted() == names)
    for name in names {
      #expect(try contents(directory("out/\(name)")) == contents("\(vector)/\(name)"))
    }
  }
}
