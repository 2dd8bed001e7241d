import Communication
import Foundation
import Foundations
import Kernels
import ModelFiles
import Runtime
import StepSettings
import Streams
import TensorTypes
import TestSupport
import Testing
import Tokenization

@testable import Healing

/// Several ranks share the text of a healing.
struct HealingRanksTests {
  private let directory: TemporaryDirectory
  private let source: ModelFile
  private let converted: ModelFile
  private let tokens: [Int]

  init() throws {
    directory = try TemporaryDirectory()
    source = try ModelFile.open(Repository.tinyQwen2)
    try TinyModel.convert(Repository.tinyQwen2, to: directory("converted")) { $0.window = 512 }
    converted = try ModelFile.open(directory("converted"))
    let text = try Files.bytes(Repository.root + "/demo/pride-and-prejudice-end.txt")
    tokens = try source.tokenizer.load().encode(bytes: text)
  }

  private static let settings: HealSettings = {
    var settings = HealSettings()
    settings.tokens = 1536
    settings.context = 128
    settings.batch = 4
    settings.steps = 3
    settings.distillSteps = 2
    settings.precision = .float32
    return settings
  }()

  private struct Outcome {
    var reports: [Healer.LayerReport]
    var distilled: Healer.DistillReport?
    var tensors: [TensorAddress: [Float]]
  }

  private func heal(
    _ ranks: Communicator, in name: String, stop: (Healer.LayerReport) throws -> Void = { _ in }
  ) throws -> Outcome {
    let work = directory(name)
    try? FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
    let healer = try Healer(
      model: converted.description, weights: converted, teacher: source.description,
      teacherWeights: source, tokens: tokens, settings: Self.settings, directory: work,
      ranks: ranks)
    _ = try healer.estimate()
    let healed = try ranks.together {
      try healer.run(progress: { _, _, _ in }, report: stop)
    }
    let (tensors, distilled) = try healer.distill(healed) { _, _ in }
    return Outcome(
      reports: try healer.finishedReports(), distilled: distilled,
      tensors: tensors.views.mapValues(\.floats))
  }

  private func expectEqual(_ one: Outcome, _ many: Outcome, within tolerance: Double) throws {
    func near(_ a: Double?, _ b: Double?) -> Bool {
      abs((a ?? 0) - (b ?? 0)) <= tolerance * abs(a ?? 0) && (a == nil) == (b == nil)
    }
    #expect(one.reports.count == 8 && many.reports.count == 8)
    for (a, b) in zip(one.reports, many.reports) {
      #expect(near(a.before, b.before) && near(a.afterRidge, b.afterRidge), "\(a) \(b)")
      #expect(near(a.after, b.after) && near(a.drift, b.drift) && near(a.sink, b.sink), "\(a) \(b)")
      #expect(a.massiveTokens == b.massiveTokens)
    }
    let (a, b) = (try #require(one.distilled), try #require(many.distilled))
    #expect(near(a.before, b.before) && near(a.after, b.after), "\(a) \(b)")
    #expect(Set(one.tensors.keys) == Set(many.tensors.keys))
  }

  @Test func `the figures are those of one rank within rounding, and all ranks hold the same`()
    throws
  {
    let one = try heal(.single, in: "one")
    let three = try ThreadRanks.run(3) { try heal($0, in: "three") }.map { try $0.get() }
    // Sums in another order; gradient steps make a little more of the difference.
    try expectEqual(one, three[0], within: 0.01)
    for other in three.dropFirst() { #expect(other.tensors == three[0].tensors) }
    // Each keeps the stream of its own segments, at their places.
    for rank in 1..<3 {
      #expect(Files.exist(directory("three/rank\(rank)/student.8")))
    }
  }

  private struct Interruption: ReportableError {
    var what: String { "interrupted" }
  }

  @Test func `a rank that fails stops all, and the same ranks go on where they were`() throws {
    let stopped = ThreadRanks.run(2) { ranks in
      try heal(ranks, in: "stopped") {
        if $0.layer == 2 && ranks.rank == 1 { throw Interruption() }
      }
    }
    for result in stopped {
      #expect(throws: RunFailure.self) { try result.get() }
    }
    #expect(try Workspace(directory: directory("stopped")).finishedLayers() == 3)
    let resumed = try ThreadRanks.run(2) { try heal($0, in: "stopped") }.map { try $0.get() }
    let whole = try ThreadRanks.run(2) { try heal($0, in: "whole") }.map { try $0.get() }
    try expectEqual(whole[0], resumed[0], within: 0)
    #expect(resumed[0].tensors == whole[0].tensors)
  }
}
