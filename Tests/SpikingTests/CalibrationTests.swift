import Architectures
import Foundation
import Foundations
import HDF5
import Mixers
import ModelFiles
import Runtime
import StepSettings
import TestSupport
import Testing

@testable import Spiking

/// Measuring models and choosing thresholds.
struct CalibrationTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func calibration(
    _ name: String, samples: [[Int]]? = nil, change: (inout CalibrateSettings) -> Void = { _ in }
  ) throws -> SpikeCalibration {
    if !Files.exist(directory(name)) {
      try TinyModel.synthesize(TinyModel.configuration(name), to: directory(name))
    }
    let file = try ModelFile.open(directory(name))
    var settings = CalibrateSettings()
    change(&settings)
    var generator = SplitMix64(seed: 2)
    let tokens = (0..<96).map { _ in Int.random(in: 0..<320, using: &generator) }
    return SpikeCalibration(
      of: file.description, weights: file, residency: .whole, settings: settings,
      samples: samples ?? SpikeCalibration.samples(of: tokens, count: 3, context: 32))
  }

  @Test func `samples are spread over the text`() {
    let tokens = Array(0..<100)
    let three = SpikeCalibration.samples(of: tokens, count: 3, context: 10)
    #expect(three.map(\.first) == [0, 45, 90])
    #expect(three.allSatisfy { $0.count == 10 })
    #expect(SpikeCalibration.samples(of: tokens, count: 99, context: 30).count == 3)
    #expect(SpikeCalibration.samples(of: tokens, count: 1, context: 30) == [Array(0..<30)])
    #expect(SpikeCalibration.samples(of: tokens, count: 4, context: 200) == [tokens])
  }

  @Test(arguments: ["gla_swa", "spikingbrain", "intra-layer"])
  func `a fixed k is put everywhere but on decay gates`(_ name: String) throws {
    let calibration = try calibration(name) { $0.queryK = .fixed(5) }
    let result = try calibration.run()
    for site in calibration.model.spikingSites {
      let expected: Double? =
        switch site.projection {
        case .decayGate: nil
        case .rotatedQuery: 5
        default: 3
        }
      #expect(result.spiking[site] == expected, "\(site.name)")
    }
    let model = calibration.model
    // Sinks are read too, and experts get some of the rows.
    guard model.sinkCount == 0 else { return }
    // Every row of every group was counted.
    let total = result.total
    let width = 2 * model.hiddenSize + model.queryWidth + model.feedForwardSize
    let queries = model.layers.count { $0.mixer.isSoftmax } * model.queryWidth
    #expect(total.channels == 96 * (width * model.layers.count + queries))
    #expect(total.silentShare > 0.1 && total.silentShare < 0.3)
    for (site, measured) in result.measurements {
      #expect(measured.rows == 96)
      #expect(measured.unusable == 0)
      #expect(measured.means.reduce(0, +) == measured.statistics.rows)
      for projection in site.group.projections {
        let error = try #require(measured.relativeError(projection))
        #expect(error > 0.01 && error < 0.3, "\(site) \(projection)")
      }
    }
    #expect(result.cost.perplexity.spiked != result.cost.perplexity.unspiked)
    #expect(result.idleExperts == [])
    #expect(result.cost.divergence.mean > 0)
    #expect(result.cost.tokens == 93)
  }

  @Test func `winners are counted alone, and their mean is the threshold's`() throws {
    let all = try calibration("experts") { $0.k = .fixed(3) }.run()
    let calibration = try calibration("experts") { $0.winners = 0.25 }
    let few = try calibration.run()
    #expect(few.spiking.winners == 0.25)
    for (index, (site, measured)) in few.measurements.enumerated() {
      let before = all.measurements[index].measurement
      // Layer 0 reads the same tokens either way.
      guard site.group == .ffnHidden, site.layer == 0 else { continue }
      #expect(measured.rows == before.rows)
      #expect(measured.statistics.silentShare >= 0.75)
      #expect(before.statistics.silentShare < 0.5)
      // Winners are larger than the rest, so that the mean over them is.
      let mean = { (means: [Int]) in
        means.enumerated().reduce(0) { $0 + $1.0 * $1.1 } / max(1, means.reduce(0, +))
      }
      #expect(mean(measured.means) > mean(before.means))
      let error = try #require(measured.relativeError(.ffnDown))
      #expect(error > 0.01 && error < 0.3)
    }
    #expect(few.cost.divergence.mean > all.cost.divergence.mean)
    #expect(few.cost.divergence.standardError > 0)
  }

  @Test func `nothing spiked costs nothing`() throws {
    let calibration = try calibration("spikingbrain")
    let cost = try calibration.cost(of: calibration.model.spikingSettings { _ in nil })
    #expect(cost.divergence.mean == 0)
    #expect(cost.increase.mean == 0 && cost.increase.standardError == 0)
    #expect(cost.perplexity.spiked == cost.perplexity.unspiked)
  }

  @Test func `k none keeps what the model has`() throws {
    var model = try calibration("spikingbrain").model
    var settings = CalibrateSettings()
    (settings.k, settings.queryK) = (.kept, .kept)
    #expect(settings.spiking(keepingThatOf: model) == nil)
    settings.winners = 0.5
    let alone = try #require(settings.spiking(keepingThatOf: model))
    #expect(alone == model.spikingSettings(winners: 0.5) { _ in nil })
    model.spiking = model.spikingSettings(cache: .int8) { _ in 2 }
    let added = try #require(settings.spiking(keepingThatOf: model))
    #expect(added == model.spikingSettings(cache: .int8, winners: 0.5) { _ in 2 })
  }

  @Test func `auto keeps the spikes of k = 3 and prefers what costs more`() throws {
    let fixed = try calibration("spikingbrain").run().total.spikesPerChannel(.bitwise)
    let calibration = try calibration("spikingbrain") { ($0.k, $0.queryK) = (.auto, .auto) }
    let softmax = calibration.model.layers.count { $0.mixer.isSoftmax }
    let result = try calibration.run()
    let spikes = result.total.spikesPerChannel(.bitwise)
    #expect(abs(spikes - fixed) < 0.03 * fixed)
    let ks = Set(result.spiking.layers.compactMap { $0.thresholds[.query] })
    #expect(ks.count > 1)
    #expect(result.sensitivities.count == result.spiking.layers.count * 4 + softmax)
    #expect(result.sensitivities.values.allSatisfy { $0 > 0 })
    let queries = result.spiking.layers.compactMap { $0.thresholds[.rotatedQuery] }
    #expect(queries.count == softmax && Set(queries) != [3])
  }

  @Test func `queries keep a k of their own under auto`() throws {
    let result = try calibration("spikingbrain") { ($0.k, $0.queryK) = (.auto, .fixed(5)) }.run()
    let queries = result.spiking.layers.compactMap { $0.thresholds[.rotatedQuery] }
    #expect(!queries.isEmpty && Set(queries) == [5])
  }

  @Test func `auto reaches the sparsity that is asked for`() throws {
    let result = try calibration("spikingbrain") {
      $0.k = .auto
      $0.targetSparsity = 0.66
    }.run()
    #expect(abs(result.total.sparsity(.ownLength) - 0.66) < 0.02)
  }

  @Test func `auto stays below the increase that is allowed`() throws {
    let result = try calibration("spikingbrain") {
      $0.k = .auto
      $0.maxPerplexityIncrease = 0.5
    }.run()
    #expect(result.cost.perplexity.spiked <= 1.005 * result.cost.perplexity.unspiked)
  }

  @Test func `experts have their own k, and those without tokens are named`() throws {
    let calibration = try calibration("experts", samples: [[5, 9]]) { $0.k = .auto }
    let result = try calibration.run()
    #expect(!result.idleExperts.isEmpty)
    for site in calibration.model.spikingSites where site.projection == .ffnDown {
      let k = try #require(result.spiking[site])
      #expect(k >= 1 && k <= 8)
    }
  }

  @Test func `cheap spikes go where they save most`() throws {
    func item(_ layer: Int, cost: Double) throws -> SpikeAllocation.Item {
      let site = try #require(SpikeGroupSite(SpikingSite(layer: layer, .output)))
      let trials = [1.0, 2, 4, 8].map { k in
        var trial = GroupMeasurement.Trial(k: k)
        let count = Int32(k)
        let counts = [Int32](repeating: 2 * count - 1, count: 8)
        counts.withUnsafeBufferPointer { trial.statistics.add($0, rows: 1) }
        trial.errors[.output] = .init(sum: 1 / (k * k), rows: 1)
        return trial
      }
      return try #require(SpikeAllocation.Item(site, cost: cost, rows: 10, trials: trials))
    }
    let allocation = SpikeAllocation(items: [try item(0, cost: 1), try item(1, cost: 0.01)])
    let budget = allocation.uniform(3).spikes
    let chosen = allocation.least { $0.spikes <= budget }
    let ks = try (0..<2).map { layer in
      let site = try #require(SpikeGroupSite(SpikingSite(layer: layer, .output)))
      return try #require(chosen[site])
    }
    #expect(ks[0] > 3 && ks[1] < 3)
    let all = allocation.least { _ in true }
    #expect(all.values.allSatisfy { $0 == 16 })
    #expect(allocation.sparsest { _ in true }.values.allSatisfy { $0 == 1 })
  }

  @Test(arguments: HDF5Compression.allCases)
  func `the file reads back, and a damaged one is refused`(
    _ compression: HDF5Compression
  ) throws {
    let result = try calibration("spikingbrain").run()
    let path = directory("calibration.h5")
    func write(_ path: String) throws {
      try CalibrationFile.write(
        result, compression: compression, attributes: [("k", "3.0")], to: path)
    }
    try write(path)
    let ks = try CalibrationFile.thresholds(path)
    let sites = result.measurements.flatMap(\.site.sites)
    #expect(ks == sites.map { result.spiking[$0] ?? .nan })
    try write(directory("again.h5"))
    let bytes = try Files.bytes(path)
    #expect(try Files.bytes(directory("again.h5")) == bytes)

    try directory.write("short.h5", Array(bytes[..<(bytes.count / 2)]))
    #expect(throws: HDF5Error.self) { try CalibrationFile.thresholds(directory("short.h5")) }
    try directory.write("text.h5", "no such thing")
    #expect(throws: HDF5Error.self) { try CalibrationFile.thresholds(directory("text.h5")) }
    #expect(throws: HDF5Error.self) { try CalibrationFile.thresholds(directory("none.h5")) }
    // How chunks begin: zlib's header at level 6, the magic number of a zstd frame.
    let start: [UInt8] = compression == .deflate ? [0x78, 0x9c] : [0x28, 0xb5, 0x2f, 0xfd]
    let chunks = bytes.indices.dropLast(40).filter { bytes[$0...].starts(with: start) }
    #expect(!chunks.isEmpty)
    var damaged = bytes
    for chunk in chunks { damaged[chunk + 14] ^= 0x55 }
    try directory.write("damaged.h5", damaged)
    #expect {
      try CalibrationFile.thresholds(directory("damaged.h5"))
    } throws: {
      "\($0)".contains("damaged.h5") && "\($0)".contains("Fletcher32")
    }
  }
}
