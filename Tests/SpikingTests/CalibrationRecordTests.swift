import Architectures
import HDF5
import ModelFiles
import Runtime
import StepSettings
import TestSupport
import Testing

@testable import Spiking

/// calibration.h5 read back, and the energy estimated from it.
struct CalibrationRecordTests {
  private let directory: TemporaryDirectory
  private let file: ModelFile

  init() throws {
    directory = try TemporaryDirectory()
    try TinyModel.synthesize(TinyModel.configuration("experts"), to: directory("m"))
    file = try ModelFile.open(directory("m"))
  }

  private func calibrated() throws -> SpikeCalibration.Result {
    let tokens = (0..<64).map { 11 * $0 % 300 }
    return try SpikeCalibration(
      of: file.description, weights: file, residency: .whole, settings: CalibrateSettings(),
      samples: SpikeCalibration.samples(of: tokens, count: 2, context: 32)
    ).run()
  }

  @Test func `everything is read back`() throws {
    let result = try calibrated()
    try CalibrationFile.write(result, attributes: [], to: directory("c.h5"))
    let record = try CalibrationRecord(directory("c.h5"), of: file.description)
    #expect(record.rows.map(\.site) == result.measurements.flatMap(\.site.sites))
    for row in record.rows {
      let group = try #require(SpikeGroupSite(row.site))
      let measured = try #require(result.measurements.first { $0.site == group }?.measurement)
      #expect(row.k == result.spiking[row.site])
      #expect(
        row.statistics.occurrences.map(\.count) == measured.statistics.occurrences.map(\.count))
      #expect(
        row.statistics.occurrences.map(\.times) == measured.statistics.occurrences.map(\.times))
      #expect(row.statistics.rows == measured.rows)
      #expect(row.relativeError == measured.relativeError(row.site.projection))
    }
    #expect(record.statistics().channels == result.total.channels)
    #expect(record.layers == Array(file.description.layers.indices))
  }

  @Test func `another model's file and damaged ones are refused`() throws {
    try CalibrationFile.write(try calibrated(), attributes: [], to: directory("c.h5"))
    var other = file.description
    other.layers.removeLast()
    #expect(throws: HDF5Error.self) { try CalibrationRecord(directory("c.h5"), of: other) }
    let bytes = try Files.bytes(directory("c.h5"))
    // Chunks begin with 78 9c: deflate at level 6.
    var damaged = bytes
    for offset in bytes.indices.dropLast(40)
    where bytes[offset] == 0x78 && bytes[offset + 1] == 0x9c {
      damaged[offset + 30] ^= 0x55
    }
    try directory.write("d.h5", damaged)
    #expect(throws: HDF5Error.self) {
      try CalibrationRecord(directory("d.h5"), of: file.description)
    }
    try directory.write("d.h5", Array(bytes[..<3000]))
    #expect(throws: HDF5Error.self) {
      try CalibrationRecord(directory("d.h5"), of: file.description)
    }
  }

  private func record(
    count: [Double], larger: [Double] = [], name: String = "layers.0.q_proj"
  ) throws -> CalibrationRecord {
    let path = directory("forged.h5")
    try HDF5Writer.write(path) { writer in
      try writer.dataset("projections", .texts([name]), shape: [1])
      try writer.group("summary")
      for column in ["k", "rows", "relative_error"] {
        try writer.dataset("summary/\(column)", .doubles([3]), shape: [1])
      }
      try writer.group("histograms")
      try writer.dataset("histograms/count", .doubles(count), shape: [1, count.count])
      try writer.dataset(
        "histograms/larger_count", .doubles(larger), shape: [larger.count / 3, 3])
    }
    return try CalibrationRecord(path, of: file.description)
  }

  @Test func `histograms that hold no counts are refused`() throws {
    var counts = [Double](repeating: 0, count: 511)
    counts[255 + 3] = 5
    let good = try record(count: counts, larger: [0, -300, 2])
    #expect(good.rows[0].statistics.channels == 7)
    #expect(good.rows[0].statistics.maximum == 300)
    #expect(throws: HDF5Error.self) { try record(count: Array(counts.dropLast())) }
    #expect(throws: HDF5Error.self) { try record(count: counts, name: "layers.0.<script>") }
    for fault in [-1, 0.5, .nan, .infinity, 1e300, 1e18] {
      var counts = counts
      counts[0] = fault
      #expect(throws: HDF5Error.self) { try record(count: counts) }
    }
    for larger in [[1, 300, 2], [0, 7, 2], [0, 300, 0], [0, 1e12, 1], [.nan, 300, 1]] {
      #expect(throws: HDF5Error.self) { try record(count: counts, larger: larger) }
    }
  }

  @Test func `the report's energies`() {
    #expect(abs(SpikeEnergy.perChannel(spikes: 1.13) - 0.0339) < 1e-12)
    let half = SpikeEnergy.saving(spikes: 1.13, against: SpikeEnergy.halfPrecisionMAC)
    let int8 = SpikeEnergy.saving(spikes: 1.13, against: SpikeEnergy.int8MAC)
    #expect((1000 * half).rounded() == 977)
    // 85.26 %; the report rounds 0.0339 to 0.034 first and has 85.2 %.
    #expect(abs(int8 - 0.852) < 0.001)
    #expect(abs(1 / (1 - int8) - 6.78) < 0.01)
  }

  @Test func `a model's energy counts each weight that a token meets`() throws {
    let result = try calibrated(), model = file.description
    try CalibrationFile.write(result, attributes: [], to: directory("c.h5"))
    let energy = SpikeEnergy(
      of: model, record: try CalibrationRecord(directory("c.h5"), of: model))
    #expect(energy.layers.map(\.layer) == Array(model.layers.indices))
    for (layer, found) in zip(model.layers, energy.layers) {
      let attention = 2 * model.hiddenSize * (model.queryWidth + model.keyValueWidth)
      let width = layer.feedForward.experts.map { ($0.chosen + $0.shared) * $0.size }
      let expected = attention + 3 * model.hiddenSize * (width ?? model.feedForwardSize)
      #expect(abs(found.products - Double(expected)) < 1e-6 * Double(expected))
      let spikes = found.additions / found.products
      #expect(spikes > 0.8 && spikes < 1.6)
    }
    #expect(energy.headProducts == Double(model.vocabularySize * model.hiddenSize))
  }
}
