import Checkpoints
import Communication
import Foundations
import ModelFiles
import StepSettings
import StrictJSON
import Synchronization
import TestSupport
import Testing

@testable import Conversion

/// Several ranks write one checkpoint.
struct RanksTests {
  private let directory: TemporaryDirectory
  private var inputs: [String] { [directory("s"), directory("s/model.safetensors")] }

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.qwen2.synthesize(to: directory("s"))
    try directory.write("s/tokenizer.json", "{}")
    try TinyModel.convert(directory("s"), to: directory("one")) {
      $0.shardSize = ByteSize(60_000)
    }
  }

  private func plan() throws -> CheckpointPlan {
    try ConversionPlan.make(
      from: ModelFile.open(directory("s")),
      settings: TinyModel.settings { $0.shardSize = ByteSize(60_000) })
  }

  private func write(
    _ ranks: Communicator, to name: String, resume: Bool = false,
    change: (inout CheckpointPlan) -> Void = { _ in }
  ) throws {
    var plan = try plan()
    change(&plan)
    let executor = try CheckpointExecutor(
      plan, tool: .init(name: "spikingbrain", version: "1"), ranks: ranks)
    try executor.run(to: directory(name), mode: .init(resume: resume), inputs: inputs, ranks: ranks)
  }

  private struct Fault: ReportableError {
    var what: String { "this tensor cannot be made" }
  }

  private struct Failing: TensorTransform {
    let inner: any TensorTransform
    var record: TransformRecord { inner.record }
    var sources: [String] { inner.sources }

    func produce(block: Int, into sink: (UnsafeRawBufferPointer) throws -> Void) throws {
      throw Fault()
    }
  }

  @Test(arguments: [2, 3, 4, 40]) func `the bytes do not depend on how many write`(
    _ count: Int
  ) throws {
    let results = ThreadRanks.run(count) { try write($0, to: "many") }
    for result in results { try result.get() }
    var one = try Files.tree(directory("one")), many = try Files.tree(directory("many"))
    #expect(one.keys.filter { $0.hasSuffix(".safetensors") }.count > 4)
    // The manifest names the program's version, which is the test's own here.
    one[Manifest.fileName] = nil
    let written = many.removeValue(forKey: Manifest.fileName)
    let manifest = try #require(written)
    #expect(one == many)
    for result in ThreadRanks.run(1, { try write($0, to: "single") }) { try result.get() }
    #expect(try Files.bytes(directory("single/manifest.json")) == manifest)
    #expect(directory.names == ["many", "one", "s", "single"])
  }

  @Test(arguments: [1, 2, 4])
  func `a failing rank ends the run for all, and any number of ranks finishes it`(
    _ resumed: Int
  ) throws {
    // The last tensor of the last file; files are written in order, so that others are finished.
    let results = ThreadRanks.run(3) { ranks in
      try write(ranks, to: "out") { plan in
        let last = plan.tensors.count - 1
        plan.tensors[last].transform = Failing(inner: plan.tensors[last].transform)
      }
    }
    let failures = results.map { result -> RunFailure? in
      if case .failure(let failure as RunFailure) = result { failure } else { nil }
    }
    let failure = try #require(failures[0])
    #expect(failure.what.hasPrefix("this tensor cannot be made"))
    #expect(failures == [failure, failure, failure])
    #expect(!Files.exist(directory("out")))
    let left = try Files.tree(directory("out.partial"))
    #expect(left.keys.contains { $0.hasSuffix(".safetensors") })

    let again = ThreadRanks.run(resumed) { try write($0, to: "out", resume: true) }
    for result in again { try result.get() }
    for result in ThreadRanks.run(1, { try write($0, to: "single") }) { try result.get() }
    #expect(try Files.tree(directory("out")) == Files.tree(directory("single")))
  }

  @Test func `a failure before anything is finished leaves nothing`() throws {
    let results = ThreadRanks.run(2) { ranks in
      try write(ranks, to: "out") { plan in
        for index in plan.tensors.indices {
          plan.tensors[index].transform = Failing(inner: plan.tensors[index].transform)
        }
      }
    }
    #expect(
      results.allSatisfy { if case .failure(let error) = $0 { error is RunFailure } else { false } }
    )
    #expect(directory.names == ["one", "s"])
  }

  @Test func `a rank that finds other inputs ends the run before it writes`() throws {
    let results = ThreadRanks.run(2) { ranks in
      try write(ranks, to: "out") { plan in
        if ranks.rank == 1 { plan.recipe["other"] = "yes" }
      }
    }
    guard case .failure(let failure as RunFailure) = results[0] else {
      Issue.record("no failure")
      return
    }
    #expect(failure.what.contains("other inputs than the first one: recipe differ"))
    #expect(directory.names == ["one", "s"])
  }

  @Test func `two runs on one directory exclude each other, whatever their ranks`() throws {
    let owner = try OutputDirectory(begin: directory("out"), fingerprint: [:])
    let results = ThreadRanks.run(2) { try write($0, to: "out", resume: true) }
    for case .failure(let failure as RunFailure) in results {
      #expect(failure.location == directory("out.partial"))
      #expect(failure.rank == 0)
    }
    #expect(results.count == 2)
    owner.abandon()
  }
}
