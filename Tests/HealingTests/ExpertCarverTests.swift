import Architectures
import Conversion
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

/// Neurons of the embedded model divided among experts.
struct ExpertCarverTests {
  private let directory: TemporaryDirectory
  private let source: ModelFile
  private let tokens: [Int]

  private static let settings: UpcycleSettings = {
    var settings = UpcycleSettings()
    (settings.carve, settings.experts, settings.topK) = (96, 12, 4)
    settings.denseLayers = .list([0, 1, 2, 4, 6, 7])
    settings.dtype = .float32
    settings.tokens = 2048
    settings.context = 128
    return settings
  }()

  init() throws {
    directory = try TemporaryDirectory()
    source = try ModelFile.open(Repository.tinyQwen2)
    let text = try Files.bytes(Repository.root + "/demo/pride-and-prejudice-end.txt")
    tokens = try source.tokenizer.load().encode(bytes: text)
  }

  private func plan(
    _ routers: LayerTensors = LayerTensors(), _ partition: NeuronPartition? = nil
  ) throws -> CheckpointPlan {
    try UpcyclePlan.make(
      from: DenseModel(source), settings: Self.settings, fitted: routers.views,
      partition: partition)
  }

  private func carver(in name: String) throws -> ExpertCarver {
    try FileManager.default.createDirectory(
      atPath: directory(name), withIntermediateDirectories: true)
    return try ExpertCarver(
      DescribedModel(source.description, weights: source), into: plan().description,
      tokens: tokens, settings: Self.settings, directory: directory(name))
  }

  private struct Interruption: Error {}

  @Test func `experts beat fixed neurons, and a stopped run goes on`() throws {
    var reports: [ExpertCarver.LayerReport] = []
    let carver = try carver(in: "whole")
    let routers = try carver.run(progress: { _ in }, report: { reports.append($0) })
    #expect(reports.map(\.layer) == Array(0..<8))
    #expect(Set(routers.views.keys) == Set([3, 5].map { TensorAddress(.router, layer: $0) }))
    for report in reports {
      guard [3, 5].contains(report.layer) else {
        #expect(report.neurons.isEmpty)
        continue
      }
      #expect(report.neurons.sorted() == Array(0..<384))
      #expect(report.tokens.count == 12 && report.tokens.reduce(0, +) == 4 * 2048)
      #expect(report.error > 0 && report.error < 0.95 * report.fixedError, "\(report)")
    }

    // What the stream saw is what the runtime computes.
    let carved = reports.filter { !$0.neurons.isEmpty }
    let partition = NeuronPartition(
      Dictionary(uniqueKeysWithValues: carved.map { ($0.layer, $0.neurons) }))
    let plan = try plan(routers, partition)
    let model = try Model(plan.description, weights: PlannedWeights(plan))
    var last: FloatMatrix?
    var state = DecodingState(for: model.description)
    _ = try model.extend(
      &state, with: Array(tokens[1920..<2048]),
      observe: { layer, _, hidden in if layer == 8 { last = hidden.copy } })
    let own = try #require(last)
    let stream = try carver.sweep.stream(carver.student, entering: 8).read(1920..<2048)
    let distances = RowDistances(own, from: stream)
    let off = zip(distances.squaredDistances, distances.squaredNorms).map { $0 / $1 }.sorted()
    #expect(off[64] < 1e-9)

    #expect(throws: Interruption.self) {
      try self.carver(in: "stopped").run(
        progress: { _ in }, report: { if $0.layer == 4 { throw Interruption() } })
    }
    let resumed = try self.carver(in: "stopped")
    #expect(try resumed.finishedReports().map(\.neurons) == reports.prefix(5).map(\.neurons))
    var rest: [ExpertCarver.LayerReport] = []
    let again = try resumed.run(progress: { _ in }, report: { rest.append($0) })
    #expect(rest.map(\.neurons) == reports.suffix(3).map(\.neurons))
    for (address, view) in routers.views {
      #expect(try #require(again.views[address]).floats == view.floats, "\(address)")
    }
  }

  @Test func `a short text, and sink tokens, are refused`() throws {
    let description = try plan().description
    #expect(throws: StreamError.tooFewTokens(300, needed: 512)) {
      try ExpertCarver(
        DescribedModel(source.description, weights: source), into: description,
        tokens: Array(tokens.prefix(300)), settings: Self.settings, directory: directory.path)
    }
    var sinks = description
    sinks.sinkCount = 1
    #expect(throws: HealingError.cannotCarve("sink tokens")) {
      try ExpertCarver(
        DescribedModel(source.description, weights: source), into: sinks, tokens: tokens,
        settings: Self.settings, directory: directory.path)
    }
  }

  @Test func `clusters are of equal size and hold what lies together`() {
    // Three groups, one with more points than there is room for: the one that fits least must go.
    let rows: [[Float]] = [
      [1, 0, 0], [1, 0.1, 0], [1, 0.05, 0.05], [0.1, 1, 0], [0, 1, 0.1], [0, 0.1, 1], [0.1, 0, 1],
      [0, 0, 1], [1, 0.5, 0],
    ]
    var generator = SplitMix64(seed: 1)
    let members = BalancedClusters(
      of: FloatMatrix(rows.flatMap(\.self), rows: 9), count: 3, generator: &generator
    ).members
    #expect(Set(members) == [[0, 1, 2], [3, 4, 8], [5, 6, 7]])
  }
}
