import Foundation
import Foundations
import TensorTypes
import Testing

@testable import Checkpoints

/// Directories of `torch.distributed.checkpoint`, written by `Tests/Reference/dcp/make_valid.py`, and
/// hostile ones.
@Suite struct DistributedCheckpointTests {
  @Test func everyType() throws {
    let file = try DistributedCheckpoint(path: formatsPath("dcp/valid/types"))
    for type in ["f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u8", "bool"] {
      let tensor = try #require(file.tensor(named: type))
      #expect(tensor.type.storedName == type.uppercased())
      #expect(tensor.shape == [2, 3])
      #expect(try file.view(type).bytes.count == tensor.byteCount)
    }
    #expect(elements(try file.view("i16"), as: Int16.self) == [0, 1, 2, 3, 4, 5])
    #expect(elements(try file.view("f64"), as: Double.self) == [0, 1, 2, 3, 4, 5])
    #expect(elements(try file.view("scalar"), as: Float.self) == [7])
    #expect(try file.view("empty").shape == [0, 4])
    #expect(elements(try file.view("transposed"), as: Float.self) == [0, 2, 4, 1, 3, 5])
    #expect(file.tensors.count == 13)
    #expect(file.objects == ["an object.step", "text"])
    #expect(file.tensor(named: "text") == nil)
  }

  @Test(arguments: ["sharded", "megatron"])
  func chunksArePutTogether(_ vector: String) throws {
    let location = try CheckpointLocation.detect(formatsPath("dcp/valid/\(vector)"))
    #expect(location == .torchDistributed(formatsPath("dcp/valid/\(vector)")))
    let file = try location.open()
    let shapes: [String: Shape] = [
      "embedding.word_embeddings.weight": [8, 3], "layers.0.linear_proj.weight": [3, 6],
      "layers.0.linear_fc1.weight": [8, 3], "layers.0.experts.weight": [3, 4, 2],
      "layers.0.grid": [5, 7], "layers.0.windmill": [3, 3], "layers.0.norm": [3],
    ]
    for (name, shape) in shapes {
      let view = try file.view(name)
      #expect(view.shape == shape)
      #expect(elements(view, as: Float.self) == (0..<(shape.elementCount ?? 0)).map { Float($0) })
    }
    let view = try file.view("layers.0.linear_qkv.weight")
    let values = elements(view, as: UInt16.self).map { Float(bitPattern: UInt32($0) << 16) }
    #expect(values == (0..<24).map { Float($0) })
    #expect(file.tensors.count == shapes.count + 1)
    #expect(file.files.count == 2)
    #expect(throws: CheckpointError.self) { try file.view("none") }
  }

  @Test func boxes() throws {
    let file = try DistributedCheckpoint(path: formatsPath("dcp/valid/sharded"))
    func values(_ name: String, _ offsets: [Int], _ sizes: [Int]) throws -> [Float] {
      let view = try file.view(name, box: TensorBox(offsets: offsets, sizes: sizes))
      #expect(view.shape == Shape(sizes))
      return elements(view, as: Float.self)
    }
    // Across the four chunks of the grid, and inside one of them.
    #expect(
      try values("layers.0.grid", [1, 2], [3, 3]) == [9, 10, 11, 16, 17, 18, 23, 24, 25])
    #expect(try values("layers.0.grid", [2, 3], [1, 4]) == [17, 18, 19, 20])
    #expect(try values("layers.0.grid", [2, 4], [2, 1]) == [18, 25])
    // One expert, which two ranks hold halves of, and a row of it.
    let experts = "layers.0.experts.weight"
    #expect(try values(experts, [1, 0, 0], [1, 4, 2]) == (8..<16).map { Float($0) })
    #expect(try values(experts, [2, 3, 0], [1, 1, 2]) == [22, 23])
    #expect(try values(experts, [0, 1, 1], [3, 2, 1]) == [3, 5, 11, 13, 19, 21])
  }

  @Test(arguments: HostileFileTests.vectors("dcp"))
  func hostile(_ vector: HostileFileTests.Vector) throws {
    let error = checkpointError {
      let file = try DistributedCheckpoint(path: vector.path)
      for tensor in file.tensors { _ = try file.view(tensor.name) }
    }
    #expect(error?.what == vector.expected, "\(vector.name): \(error?.what ?? "accepted")")
    #expect(error?.exitCode == 2)
    if let location = error?.location { #expect(location.hasPrefix(vector.path)) }
  }

  private func coverage(_ shape: [Int], _ chunks: [([Int], [Int])]) -> String? {
    ChunkCoverage(
      shape: shape,
      chunks: chunks.map { TensorBox(offsets: $0.0, sizes: $0.1) }
    ).problem
  }

  @Test func coverageOfScalarsAndNothing() {
    #expect(coverage([], [([], [])]) == nil)
    #expect(coverage([], [([], []), ([], [])]) == "has chunks that overlap")
    #expect(coverage([], []) == "has 1 of 1 elements in no chunk")
    #expect(coverage([0, 4], []) == nil)
    #expect(coverage([5], [([0], [3]), ([3], [2]), ([5], [0]), ([5], [0])]) == nil)
  }

  @Test func coverageOfGridsAndOthers() {
    let grid: [([Int], [Int])] = (0..<300).flatMap { (row: Int) -> [([Int], [Int])] in
      (0..<300).map { ([row * 2, $0], [2, 1]) }
    }
    #expect(coverage([600, 300], grid) == nil)
    #expect(coverage([600, 301], grid) == "has 600 of 180600 elements in no chunk")
    #expect(
      coverage([600, 300], grid.dropLast() + [([0, 0], [2, 1])]) == "has chunks that overlap")
    // Bricks: every second row is cut elsewhere.
    func bricks(_ rows: Int) -> [([Int], [Int])] {
      (0..<rows).flatMap { (row: Int) -> [([Int], [Int])] in
        let width = 1 + row % 2
        return [([row, 0], [1, width]), ([row, width], [1, 3 - width])]
      }
    }
    #expect(coverage([100, 3], bricks(100)) == nil)
    #expect(
      coverage([100, 3], bricks(100).dropLast() + [([0, 1], [1, 1])])
        == "has chunks that overlap, at [0, 1] and [0, 1]")
    #expect(
      coverage([2049, 3], bricks(2049)) == "has 4098 chunks that form no grid; the limit is 4096")
  }
}
