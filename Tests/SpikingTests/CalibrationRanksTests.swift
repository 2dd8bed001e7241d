import Architectures
import Communication
import Foundations
import ModelFiles
import Runtime
import StepSettings
import TestSupport
import Testing

@testable import Spiking

/// Several ranks share the samples of a calibration.
struct CalibrationRanksTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func calibrate(
    _ file: ModelFile, _ settings: CalibrateSettings, _ ranks: Communicator
  ) throws -> SpikeCalibration.Result {
    let tokens = (0..<400).map { 11 * $0 % 300 }
    return try SpikeCalibration(
      of: file.description, weights: file, residency: .whole, settings: settings,
      samples: SpikeCalibration.samples(of: tokens, count: 5, context: 48), ranks: ranks
    ).run()
  }

  private func compare(
    _ one: SpikeCalibration.Result, _ many: SpikeCalibration.Result, trials: Bool
  ) throws {
    #expect(one.measurements.map(\.site) == many.measurements.map(\.site))
    for (a, b) in zip(one.measurements, many.measurements) {
      let (a, b) = (a.measurement, b.measurement)
      #expect(a.statistics == b.statistics)
      #expect(a.rows == b.rows && a.means == b.means && a.unusable == b.unusable)
      #expect(a.trials.map(\.k) == b.trials.map(\.k))
      guard trials else { continue }
      for (mine, theirs) in zip(a.trials, b.trials) {
        #expect(mine.statistics == theirs.statistics)
        #expect(Set(mine.errors.keys) == Set(theirs.errors.keys))
        for (projection, error) in mine.errors {
          let other = try #require(theirs.errors[projection])
          #expect(other.rows == error.rows)
          #expect(abs(other.mean - error.mean) <= 1e-9 * error.mean)
        }
      }
    }
    #expect(abs(one.cost.divergence.mean - many.cost.divergence.mean) < 1e-9)
    #expect(one.cost.tokens == many.cost.tokens)
    #expect(one.idleExperts == many.idleExperts)
  }

  @Test(arguments: [2, 4, 7]) func `a dense model gets the figures of one rank`(
    _ count: Int
  ) throws {
    try TinyModel.qwen2.synthesize(to: directory("m"))
    let file = try ModelFile.open(directory("m"))
    let one = try calibrate(file, CalibrateSettings(), .single)
    let many = try ThreadRanks.run(count) {
      try calibrate(file, CalibrateSettings(), $0)
    }.map { try $0.get() }
    for other in many { try compare(one, other, trials: true) }
  }

  @Test func `thresholds that are chosen are the same`() throws {
    try TinyModel.qwen2.synthesize(to: directory("m"))
    let file = try ModelFile.open(directory("m"))
    var settings = CalibrateSettings()
    settings.k = .auto
    settings.targetSparsity = 0.6
    let one = try calibrate(file, settings, .single)
    let many = try ThreadRanks.run(2) { try calibrate(file, settings, $0) }.map { try $0.get() }
    #expect(one.spiking == many[0].spiking && many[0].spiking == many[1].spiking)
    for (site, cost) in one.sensitivities {
      #expect(abs((many[1].sensitivities[site] ?? .nan) - cost) <= 1e-6 * max(cost, 1e-9))
    }
  }

  @Test func `experts' counts add up; errors are sampled elsewhere`() throws {
    try TinyModel.synthesize(TinyModel.configuration("experts"), to: directory("m"))
    let file = try ModelFile.open(directory("m"))
    let one = try calibrate(file, CalibrateSettings(), .single)
    let many = try ThreadRanks.run(2) {
      try calibrate(file, CalibrateSettings(), $0)
    }.map { try $0.get() }
    for other in many { try compare(one, other, trials: false) }
  }
}
