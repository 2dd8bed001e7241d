import Architectures
import Checkpoints
import TensorTypes
import TestSupport
import Testing

@testable import Runtime

/// The W8ASpike variant against an implementation of the public code's formulas in PyTorch:
/// `Tests/Reference/exports/make_w8aspike.py`.
struct W8ASpikeTests {
  /// Fewer than one in ten thousand activations of these models lie so close between two counts that
  /// rounding noise decides.
  private static let tolerance = 2e-5

  @Test(arguments: [false, true])
  func `bfloat16 weights, one scale per row`(_ stepwise: Bool) throws {
    let path = Repository.root + "/formats/w8aspike/valid/by-row"
    let fixture = try SafetensorsFile(path: path + ".logits.safetensors")
    try expect(openModel(path), agreesWith: fixture, stepwise: stepwise)
  }

  @Test(arguments: [false, true])
  func `groups of 128, codes to 254`(_ stepwise: Bool) throws {
    let directory = try TemporaryDirectory()
    try TinyModel.synthesize(TinyModel.configuration("w8aspike"), to: directory("s"))
    try TinyModel.export(directory("s"), to: directory("w"), profile: "w8aspike")
    try CheckpointEdit(directory("w")).rewrite { tensors in
      for index in tensors.indices where tensors[index].name.hasSuffix(W8ASpike.scaleSuffix) {
        tensors[index].halveEveryThirdRow()
      }
    }
    let fixture = try SafetensorsFile(path: Repository.fixture("logits/w8aspike.safetensors"))
    try expect(openModel(directory("w")), agreesWith: fixture, stepwise: stepwise)
  }

  private func expect(
    _ model: Model, agreesWith fixture: SafetensorsFile, stepwise: Bool
  ) throws {
    let tokens = try fixture.elements("tokens", as: Int32.self).map(Int.init)
    let logits = try model.logits(tokens, stepwise: stepwise)
    #expect(difference(logits, try fixture.elements("logits", as: Float.self)) < Self.tolerance)
  }
}

extension CheckpointEdit.Tensor {
  /// Multiplies float32 rows 0, 3, 6, … by 0.5.
  fileprivate mutating func halveEveryThirdRow() {
    let rows = entry.shape.dimensions[0], width = bytes.count / rows
    for row in stride(from: 0, to: rows, by: 3) {
      for start in stride(from: row * width, to: (row + 1) * width, by: 4) {
        let value = bytes.withUnsafeBytes {
          $0.loadUnaligned(fromByteOffset: start, as: Float.self)
        }
        withUnsafeBytes(of: value * 0.5) { bytes.replaceSubrange(start..<start + 4, with: $0) }
      }
    }
  }
}
