import Checkpoints
import Foundation
import Foundations
import ModelFiles
import StepSettings
import StrictJSON
import Synchronization
import TestSupport
import Testing

@testable import Conversion

/// Interrupted runs leave only OUT.partial, and finish with the same bytes.
struct ResumeTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.qwen2.synthesize(to: directory("s"))
    try TinyModel.convert(directory("s"), to: directory("whole"), change: change)
  }

  private let change: @Sendable (inout ConvertSettings) -> Void = {
    $0.shardSize = ByteSize(100_000)
  }

  private var inputs: [String] { [directory("s"), directory("s/model.safetensors")] }

  private struct Interruption: Error {}

  /// Fails after `bytes` bytes of tensors have been produced in all.
  private struct Failing: TensorTransform {
    let inner: any TensorTransform
    let budget: Budget

    var record: TransformRecord { inner.record }
    var sources: [String] { inner.sources }

    func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
      try inner.produce(block: 1000) { bytes in
        if budget.spend(bytes.count) { throw Interruption() }
        try sink(bytes)
      }
    }
  }

  private final class Budget: Sendable {
    private let left: Mutex<Int>
    init(_ bytes: Int) { left = Mutex(bytes) }

    func spend(_ bytes: Int) -> Bool {
      left.withLock { left in
        left -= bytes
        return left < 0
      }
    }
  }

  private func plan() throws -> CheckpointPlan {
    try ConversionPlan.make(
      from: ModelFile.open(directory("s")), settings: TinyModel.settings(change))
  }

  /// Runs until `bytes` bytes are written, then fails.
  private func interrupt(after bytes: Int) throws {
    var plan = try plan()
    let budget = Budget(bytes)
    for index in plan.tensors.indices {
      plan.tensors[index].transform = Failing(
        inner: plan.tensors[index].transform, budget: budget)
    }
    #expect(throws: Interruption.self) {
      try TinyModel.write(plan, to: directory("out"), inputs: inputs)
    }
    #expect(!Files.exist(directory("out")))
  }

  @Test(arguments: [150_000, 250_000, 400_000])
  func `are finished by resuming, byte for byte`(_ bytes: Int) throws {
    try interrupt(after: bytes)
    #expect(Files.exist(directory("out.partial")))
    try TinyModel.write(plan(), to: directory("out"), inputs: inputs, resume: true)
    #expect(!Files.exist(directory("out.partial")))
    #expect(try Files.tree(directory("out")) == Files.tree(directory("whole")))
  }

  @Test func `finished files are not written again`() throws {
    try interrupt(after: 250_000)
    let first = directory("out.partial/model-00001-of-00005.safetensors")
    let names = try FileManager.default.contentsOfDirectory(atPath: directory("out.partial"))
    let kept = try #require(names.filter { $0.hasSuffix(".safetensors") }.min())
    #expect(first.hasSuffix(kept.suffix(12)))
    let path = directory("out.partial/" + kept)
    let before = try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int
    try TinyModel.write(plan(), to: directory("out"), inputs: inputs, resume: true)
    let after =
      try FileManager.default.attributesOfItem(atPath: directory("out/" + kept))[.systemFileNumber]
      as? Int
    #expect(before == after)
  }

  @Test func `an error before the first finished file leaves nothing`() throws {
    try interrupt(after: 10)
    #expect(directory.names == ["s", "whole"])
  }

  @Test func `without resume or force a partial output is refused`() throws {
    try interrupt(after: 250_000)
    #expect(throws: CheckpointError.partialExists(path: directory("out.partial"))) {
      try TinyModel.write(plan(), to: directory("out"), inputs: inputs)
    }
    try TinyModel.write(plan(), to: directory("out"), inputs: inputs, force: true)
    #expect(try Files.tree(directory("out")) == Files.tree(directory("whole")))
  }

  @Test func `other settings do not continue what was begun`() throws {
    try interrupt(after: 250_000)
    let other = try ConversionPlan.make(
      from: ModelFile.open(directory("s")), settings: TinyModel.settings { $0.window = 17 })
    #expect {
      try TinyModel.write(other, to: directory("out"), inputs: inputs, resume: true)
    } throws: { error in
      guard case .fingerprintDiffers(_, let differences) = error as? CheckpointError else {
        return false
      }
      return differences.map(\.key) == ["--shard-size", "--window"]
    }
    #expect(Files.exist(directory("out.partial")), "still there to be resumed rightly")
  }

  @Test func `a changed source does not continue what was begun`() throws {
    try interrupt(after: 250_000)
    let name = "model.layers.0.mlp.up_proj.weight"
    try CheckpointEdit(directory("s")).overwrite(name, with: [Float](repeating: 0, count: 4))
    #expect {
      try TinyModel.write(
        plan(), to: directory("out"), inputs: inputs, resume: true)
    } throws: { error in
      guard case .fingerprintDiffers = error as? CheckpointError else { return false }
      return true
    }
  }

  @Test func `resuming with nothing begun is a plain run`() throws {
    try TinyModel.write(plan(), to: directory("out"), inputs: inputs, resume: true)
    #expect(try Files.tree(directory("out")) == Files.tree(directory("whole")))
  }
}
