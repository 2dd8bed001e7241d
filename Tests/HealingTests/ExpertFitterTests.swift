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

/// Routers and experts fitted on a text: the embedded model with a damaged attention.
struct ExpertFitterTests {
  private let directory: TemporaryDirectory
  private let source: ModelFile
  private let damaged: ModelFile
  private let tokens: [Int]

  private static let settings: UpcycleSettings = {
    var settings = UpcycleSettings()
    settings.experts = 2
    settings.shared = 0
    settings.denseLayers = .list([0, 1, 2, 3, 6])
    settings.router = .clustered
    settings.tokens = 4096
    settings.context = 128
    return settings
  }()

  init() throws {
    directory = try TemporaryDirectory()
    source = try ModelFile.open(Repository.tinyQwen2)
    // Full attention that sees 16 tokens: a damage that needs no healing first.
    try TinyModel.convert(Repository.tinyQwen2, to: directory("damaged")) {
      $0.attentionLayers = .list(Array(0..<8))
      $0.window = 16
      $0.dtype = .float32
    }
    damaged = try ModelFile.open(directory("damaged"))
    let text = try Files.bytes(Repository.root + "/demo/pride-and-prejudice-end.txt")
    tokens = try source.tokenizer.load().encode(bytes: text)
  }

  private func plan(_ fitted: LayerTensors = LayerTensors()) throws -> CheckpointPlan {
    try UpcyclePlan.make(
      from: DenseModel(damaged), settings: Self.settings, fitted: fitted.views)
  }

  private func fitter(in name: String, isTaught: Bool = true) throws -> ExpertFitter {
    let plan = try plan()
    try FileManager.default.createDirectory(
      atPath: directory(name), withIntermediateDirectories: true)
    return try ExpertFitter(
      DescribedModel(plan.description, weights: PlannedWeights(plan)),
      from: DescribedModel(damaged.description, weights: damaged),
      teacher: isTaught ? DescribedModel(source.description, weights: source) : nil,
      tokens: Array(tokens.prefix(4096)), settings: Self.settings, directory: directory(name))
  }

  private struct Interruption: Error {}

  @Test func `refitted experts come nearer to the teacher, and a stopped run goes on`() throws {
    var reports: [ExpertFitter.LayerReport] = []
    let fitter = try fitter(in: "whole")
    let tensors = try fitter.run(progress: { _ in }, report: { reports.append($0) })
    #expect(reports.map(\.layer) == Array(0..<8))
    for report in reports where [4, 5, 7].contains(report.layer) {
      let before = try #require(report.before), after = try #require(report.after)
      #expect(after < before)
      #expect(report.tokens.count == 2 && report.tokens.reduce(0, +) == 4096)
    }
    #expect(reports[0].tokens.isEmpty && reports[0].before == nil)
    let divergences = try #require(try fitter.divergences())
    #expect(divergences.after < divergences.before)

    // What the streams saw is what the runtime computes.
    let plan = try plan(tensors)
    let model = try Model(plan.description, weights: PlannedWeights(plan))
    let segment = Array(tokens[(31 * 128)..<(32 * 128)])
    var last: FloatMatrix?
    var counts = [Int: [Int]]()
    var state = DecodingState(for: model.description)
    _ = try model.extend(
      &state, with: segment, observe: { layer, _, hidden in if layer == 8 { last = hidden.copy } },
      observeRouting: { counts[$0] = $1.load(of: 2) })
    let own = try #require(last)
    let stream = try fitter.sweep.stream(fitter.student, entering: 8)
      .read(31 * 128..<32 * 128)
    let distances = RowDistances(own, from: stream)
    let off = zip(distances.squaredDistances, distances.squaredNorms).map { $0 / $1 }.sorted()
    // Streams are computed in bfloat16 where that is faster.
    #expect(off[64] < 1e-3)
    #expect(Set(counts.keys) == [4, 5, 7])

    #expect(throws: Interruption.self) {
      try self.fitter(in: "stopped").run(
        progress: { _ in }, report: { if $0.layer == 5 { throw Interruption() } })
    }
    let resumed = try self.fitter(in: "stopped")
    #expect(try resumed.finishedReports().map(\.layer) == Array(0...5))
    let again = try resumed.run(progress: { _ in }, report: { _ in })
    #expect(again.views.count == tensors.views.count)
    for (address, view) in tensors.views {
      #expect(try #require(again.views[address]).floats == view.floats, "\(address)")
    }
  }

  @Test func `a refit is never worse than the copy on held-out tokens`() {
    var generator = SplitMix64(seed: 2)
    func matrix(_ rows: Int, _ columns: Int) -> FloatMatrix {
      FloatMatrix((0..<rows * columns).map { _ in generator.symmetric(1) }, rows: rows)
    }
    func sums(_ features: FloatMatrix, _ targets: FloatMatrix) -> Gram {
      let gram = Gram(features: features.columns, targets: targets.columns)
      gram.add(features, targets, weights: [Float](repeating: 1, count: features.rows))
      return gram
    }
    let prior = matrix(3, 6), truth = matrix(3, 6)
    let seen = matrix(40, 6), unseen = matrix(20, 6)
    // Held-out tokens that follow the prior: no refit helps, and the prior stays as it is.
    let misled = RidgeFit(
      training: sums(seen, .product(seen, transposed: truth)),
      heldOut: sums(unseen, .product(unseen, transposed: prior)), prior: prior)
    #expect(misled.ridge == nil && misled.after == misled.before)
    #expect(Array(misled.weight.elements) == Array(prior.elements))
    let fit = RidgeFit(
      training: sums(seen, .product(seen, transposed: truth)),
      heldOut: sums(unseen, .product(unseen, transposed: truth)), prior: prior)
    #expect(fit.ridge != nil && fit.after < 1e-3 * fit.before)
  }

  @Test func `without a teacher only routers are made`() throws {
    let fitter = try fitter(in: "routers", isTaught: false)
    let tensors = try fitter.run(progress: { _ in }, report: { #expect($0.drift == nil) })
    #expect(Set(tensors.views.keys) == Set([4, 5, 7].map { TensorAddress(.router, layer: $0) }))
    #expect(try fitter.divergences() == nil)
  }

  @Test func `parallel branches work, sink tokens are refused`() throws {
    for (sinks, name) in [(0, "parallel"), (2, "sinks")] {
      try TinyModel.convert(Repository.tinyQwen2, to: directory(name)) {
        $0.layout = .intraLayer
        $0.intraLayer.sinks = sinks
        $0.window = 4
        $0.dtype = .float32
      }
      let file = try ModelFile.open(directory(name))
      let plan = try UpcyclePlan.make(from: DenseModel(file), settings: Self.settings)
      func fit() throws -> LayerTensors {
        try ExpertFitter(
          DescribedModel(plan.description, weights: PlannedWeights(plan)),
          from: DescribedModel(file.description, weights: file), teacher: nil,
          tokens: Array(tokens.prefix(512)), settings: Self.settings, directory: directory(name)
        ).run(progress: { _ in }, report: { _ in })
      }
      if sinks == 0 {
        #expect(try fit().views.count == 3)
      } else {
        #expect(throws: HealingError.cannotCluster("sink tokens")) { try fit() }
      }
    }
  }

  @Test func `another model is no teacher, and a short text no calibration`() throws {
    try TinyModel.llama.synthesize(to: directory("other"))
    let other = try ModelFile.open(directory("other")), plan = try plan()
    func make(_ teacher: ModelFile, _ count: Int) throws {
      _ = try ExpertFitter(
        DescribedModel(plan.description, weights: PlannedWeights(plan)),
        from: DescribedModel(damaged.description, weights: damaged),
        teacher: DescribedModel(teacher.description, weights: teacher),
        tokens: Array(tokens.prefix(count)), settings: Self.settings, directory: directory.path)
    }
    #expect(throws: HealingError.differentModels("another number of layers")) {
      try make(other, 4096)
    }
    #expect(throws: StreamError.tooFewTokens(300, needed: 512)) { try make(source, 300) }
  }
}
