import Architectures
import Checkpoints
import Foundation
import Foundations
import Kernels
import ModelFiles
import Runtime
import StepSettings
import Streams
import TestSupport
import Testing
import Tokenization

@testable import Healing

@Suite struct HealerTests {
  private static let settings: HealSettings = {
    var settings = HealSettings()
    settings.tokens = 4096
    settings.context = 128
    settings.steps = 12
    return settings
  }()

  @Test(
    arguments: [
      (nil, nil, false), (0.5, 0.4, false), (0.5, 0.5, false), (0.5, 0.6, true), (0.5, .nan, true),
    ] as [(Double?, Double?, Bool)])
  func `a layer is worse when its error grew`(_ before: Double?, _ after: Double?, _ worse: Bool) {
    let report = Healer.LayerReport(
      layer: 0, before: before, afterRidge: after, after: after, steps: 0, seconds: 0)
    #expect(report.isWorse == worse)
  }

  /// The embedded model, its conversion, and tokens of its demo text.
  private struct Case {
    let directory: TemporaryDirectory
    let source: ModelFile
    let converted: ModelFile
    let tokens: [Int]

    init(_ change: (inout ConvertSettings) -> Void = { $0.window = 512 }) throws {
      directory = try TemporaryDirectory()
      source = try ModelFile.open(Repository.tinyQwen2)
      try TinyModel.convert(Repository.tinyQwen2, to: directory("converted"), change: change)
      converted = try ModelFile.open(directory("converted"))
      let text = try Files.bytes(Repository.root + "/demo/pride-and-prejudice-end.txt")
      tokens = try source.tokenizer.load().encode(bytes: text)
    }

    func healer(
      in name: String, settings: HealSettings = HealerTests.settings
    ) throws -> Healer {
      let work = directory(name)
      try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
      return try Healer(
        model: converted.description, weights: converted, teacher: source.description,
        teacherWeights: source, tokens: tokens, settings: settings, directory: work)
    }
  }

  @Test func `a time limit gives the second stage what the first leaves`() throws {
    let problem = try Case()
    var settings = Self.settings
    func estimate(memory: Int? = nil) throws -> Healer.Estimate {
      try Healer(
        model: problem.converted.description, weights: problem.converted,
        teacher: problem.source.description, teacherWeights: problem.source,
        tokens: problem.tokens, settings: settings, directory: problem.directory(""), memory: memory
      ).estimate()
    }
    #expect(try estimate().distillSteps == 0)
    settings.timeLimit = 600
    let plenty = try estimate()
    #expect(plenty.steps == 12)
    #expect(plenty.distillSteps == 4 * 29)
    #expect(plenty.seconds <= 36_000)
    // Memory that it does not fit in is no reason to refuse all of it.
    #expect(try estimate(memory: 1 << 20).distillSteps == 0)
    settings.timeLimit = 1e-6
    let none = try estimate()
    #expect(none.steps == 0 && none.distillSteps == 0)
    settings.distillSteps = 3
    #expect(try estimate().distillSteps == 3)
  }

  private struct Interruption: Error {}

  @Test func everyLinearLayerGetsCloserAndAStoppedRunGoesOn() throws {
    let problem = try Case()
    var reports: [Healer.LayerReport] = []
    let whole = try problem.healer(in: "whole").run(progress: { _, _, _ in }) { reports.append($0) }
    #expect(reports.map(\.layer) == Array(0..<8))
    for report in reports where report.layer % 2 == 0 {
      let before = try #require(report.before), ridge = try #require(report.afterRidge)
      let after = try #require(report.after)
      #expect(ridge < before && after <= ridge)
      #expect(abs((report.sink ?? 0) - 1) < 0.3)
    }
    #expect(reports.filter { $0.layer % 2 == 1 }.allSatisfy { $0.after == nil })
    #expect(whole.views.count == 4 * 11)

    // Stopped inside layer 2, and again between layers 4 and 5.
    #expect(throws: Interruption.self) {
      try problem.healer(in: "stopped").run(
        progress: { layer, share, _ in
          if layer == 2 && share > 0.5 { throw Interruption() }
        }, report: { _ in })
    }
    #expect(throws: Interruption.self) {
      try problem.healer(in: "stopped").run(
        progress: { _, _, _ in }, report: { if $0.layer == 4 { throw Interruption() } })
    }
    var resumed: [Int] = []
    let rest = try problem.healer(in: "stopped").run(progress: { _, _, _ in }) {
      resumed.append($0.layer)
    }
    #expect(resumed == [5, 6, 7])
    let kept = try problem.healer(in: "stopped").finishedReports()
    #expect(kept.map(\.layer) == Array(0..<8))
    for (again, once) in zip(kept, reports) { #expect(again.after == once.after) }
    #expect(rest.views.mapValues(\.floats) == whole.views.mapValues(\.floats))
  }

  @Test func workThatWasLostOrChangedIsFoundAndNeverUsed() throws {
    let problem = try Case()
    #expect(throws: Interruption.self) {
      try problem.healer(in: "stopped").run(
        progress: { _, _, _ in }, report: { if $0.layer == 2 { throw Interruption() } })
    }
    let work = problem.directory("stopped"), files = FileManager.default
    for name in try files.contentsOfDirectory(atPath: work).sorted() {
      let kept = try Data(contentsOf: URL(fileURLWithPath: work + "/" + name))
      for change in ["removed", "emptied", "cut", "changed"] {
        // Without these, layers are healed again.
        if change == "removed" && (name == "finished" || name == "steps") { continue }
        let url = URL(fileURLWithPath: work + "/" + name)
        var bytes = kept
        switch change {
        case "removed": try files.removeItem(at: url)
        case "emptied": try Data().write(to: url)
        case "cut": try kept.dropLast().write(to: url)
        default:
          bytes[bytes.count / 2] ^= 1
          try bytes.write(to: url)
        }
        #expect(throws: StreamError.changed(path: work + "/" + name), "\(change)") {
          _ = try problem.healer(in: "stopped").run(progress: { _, _, _ in }) { _ in }
        }
        try kept.write(to: url)
      }
    }
    var resumed: [Int] = []
    _ = try problem.healer(in: "stopped").run(progress: { _, _, _ in }) { resumed.append($0.layer) }
    #expect(resumed == [3, 4, 5, 6, 7])
  }

  @Test(arguments: [0, 2])
  func parallelBranchesAreHealedAndTheStreamIsTheRuntimes(sinks: Int) throws {
    let problem = try Case {
      $0.layout = .intraLayer
      $0.window = 24
      $0.intraLayer.sinks = sinks
    }
    var settings = Self.settings
    settings.precision = .float32
    // These layers start close: the default rate, made for layers that start broken, is too large.
    settings.learningRate = 3e-4
    var reports: [Healer.LayerReport] = []
    let healer = try problem.healer(in: "work", settings: settings)
    let healed = try healer.run(progress: { _, _, _ in }) { reports.append($0) }
    for report in reports {
      let before = try #require(report.before), ridge = try #require(report.afterRidge)
      let after = try #require(report.after), share = try #require(report.linearShare)
      #expect(after <= ridge && ridge <= 1.0001 * before, "\(report)")
      // Layer 6 has full attention: without sinks it starts with no error of its own.
      #expect(share >= 0 && share < 1 && (share > 0 || after == ridge), "\(report)")
    }
    let improved = reports.filter { ($0.after ?? 1) < 0.99 * ($0.afterRidge ?? 0) }
    #expect(improved.contains { ($0.linearShare ?? 0) > 0 })
    // q, k, v with their biases, o, both norms and the branches' factors.
    #expect(healed.views.count == 8 * 10)

    let model = problem.converted.description
    let runtime = try Model(
      model, weights: Overlay(tensors: healed, below: problem.converted))
    let stream = try healer.sweep.stream(healer.studentTrack, entering: 8)
    for segment in [0, 31] {
      let first = segment * Self.settings.context
      let found = try stream.read(first..<first + Self.settings.context)
      var state = DecodingState(for: model), worst: Float = 0
      let tokens = Array(problem.tokens[first..<first + Self.settings.context])
      _ = try runtime.extend(&state, with: tokens) { layer, _, hidden in
        guard layer == 8 else { return }
        let distances = RowDistances(found, from: hidden)
        for (distance, norm) in zip(distances.squaredDistances, distances.squaredNorms) {
          worst = max(worst, (distance / norm).squareRoot())
        }
      }
      #expect(worst < 1e-3)
    }
  }

  @Test func aTeacherWithSinksIsRefused() throws {
    let problem = try Case {
      $0.layout = .intraLayer
      $0.intraLayer.sinks = 1
    }
    #expect(throws: HealingError.differentModels("it has sink tokens")) {
      try Healer(
        model: problem.converted.description, weights: problem.converted,
        teacher: problem.converted.description, teacherWeights: problem.converted,
        tokens: problem.tokens, settings: Self.settings, directory: problem.directory.path)
    }
  }

  @Test func tooLittleTextAndForeignTeachersAreRefused() throws {
    let problem = try Case()
    let directory = problem.directory
    #expect(throws: StreamError.self) {
      try Healer(
        model: problem.converted.description, weights: problem.converted,
        teacher: problem.source.description, teacherWeights: problem.source,
        tokens: Array(problem.tokens.prefix(300)), settings: Self.settings,
        directory: directory.path)
    }
    try TinyModel.qwen2.synthesize(to: directory("other"))
    let other = try ModelFile.open(directory("other"))
    #expect(throws: HealingError.self) {
      try Healer(
        model: problem.converted.description, weights: problem.converted,
        teacher: other.description, teacherWeights: other, tokens: problem.tokens,
        settings: Self.settings, directory: directory.path)
    }
  }

  @Test func theLearningRateWarmsUpAndEndsAtZero() {
    let rates = (0..<100).map { LearningRate.share($0, of: 100) }
    #expect(rates[0] == 0.1 && rates.max() == 1)
    #expect(rates[99] < 0.01 && rates.allSatisfy { $0 > 0 })
  }

  @Test func aShuffleVisitsEverySegmentBeforeAnyTwice() {
    var generator = SplitMix64(seed: 1)
    var shuffle = Shuffle(count: 7)
    for _ in 0..<3 {
      #expect(Set((0..<7).map { _ in shuffle.next(&generator) }) == Set(0..<7))
    }
  }
}
