import Architectures
import HDF5
public import StepSettings

/// `calibration.h5`: what `calibrate` measured, one row per projection.
///
/// Described in `docs/spiking.md`. Absent values, such as the k of what is not spiked, are NaN.
public enum CalibrationFile {
  /// The name of the file in a checkpoint.
  public static let name = "calibration.h5"
  /// Version of the file's layout.
  public static let version = 1

  /// Writes `result` to the file `path`; `attributes` say what it was measured with.
  public static func write(
    _ result: SpikeCalibration.Result, compression: HDF5Compression = .deflate,
    attributes: [(String, String)], to path: String
  ) throws {
    try HDF5Writer.write(path, compression: compression.ofChunks) { file in
      try file.attribute("format", "spikingbrain calibration")
      try file.attribute("version", "\(version)")
      try file.attribute(
        "definitions",
        "A channel is one activation of one token; its spike count is s = round(x / V_th), half to "
          + "even, with V_th = mean|x| / k over the token's channels. Where the model keeps winners "
          + "only, the means are over these, and all other channels are 0 and counted as silent. "
          + "Activations are those of the unspiked model. Row i of every dataset with as many rows belongs to /projections[i]."
      )
      for (key, text) in attributes { try file.attribute(key, text) }
      try CalibrationTable(result).write(to: file)
    }
  }

  /// The k of each projection in the file `path`, in its order; NaN where nothing is spiked.
  ///
  /// Every dataset of the summary and the histograms is read, so that a damaged file is refused.
  public static func thresholds(_ path: String) throws -> [Double] {
    try HDF5Reader.read(path) { file in
      let ks = try file.doubles("summary/k").values
      for name in ["histograms/count", "histograms/mean_magnitude", "summary/silent_share"] {
        guard try file.doubles(name).shape.first == ks.count else {
          throw HDF5Error.failed(
            file: path, operation: "dataset \(name)", reason: "it has other rows than summary/k")
        }
      }
      return ks
    }
  }
}

/// The rows of a calibration file.
struct CalibrationTable {
  let result: SpikeCalibration.Result
  /// A row for each projection with what was measured of its group.
  private let rows: [(site: SpikingSite, group: SpikeGroupSite, measured: GroupMeasurement)]

  init(_ result: SpikeCalibration.Result) {
    self.result = result
    rows = result.measurements.flatMap { entry in
      entry.site.sites.map { ($0, entry.site, entry.measurement) }
    }
  }

  func write(to file: HDF5Writer) throws {
    try file.dataset(
      "projections", .texts(rows.map(\.site.name)), shape: [rows.count],
      attributes: [("definition", "layer (from 0), expert if any, and what reads the activations")])
    try file.group("summary")
    try summary(file)
    try histograms(file)
    try trials(file)
  }

  private func column(
    _ file: HDF5Writer, _ name: String, units: String, _ definition: String,
    _ value: (SpikingSite, GroupMeasurement) -> Double?
  ) throws {
    try file.dataset(
      "summary/\(name)", .doubles(rows.map { value($0.site, $0.measured) ?? .nan }),
      shape: [rows.count], attributes: [("units", units), ("definition", definition)])
  }

  private func summary(_ file: HDF5Writer) throws {
    try column(file, "k", units: "1", "spikes of a channel as large as the mean; NaN: not spiked") {
      site, _ in result.spiking[site]
    }
    try column(file, "rows", units: "tokens", "tokens that were read") { Double($1.rows) }
    func counted(
      _ name: String, units: String, _ definition: String,
      _ value: @escaping (SpikeStatistics) -> Double
    ) throws {
      try column(file, name, units: units, definition) {
        $1.statistics.rows > 0 ? value($1.statistics) : nil
      }
    }
    try counted("silent_share", units: "1", "channels with count 0") { $0.silentShare }
    try counted("share_up_to_7", units: "1", "channels with |s| <= 7") { $0.share(upTo: 7) }
    try counted("largest_count", units: "spikes", "largest |s|") { Double($0.maximum) }
    for coding in SpikeCoding.allCases {
      let name = coding.rawValue.replacing("-", with: "_")
      try counted(
        "spikes_per_channel_\(name)", units: "spikes per channel",
        "each count in the steps that it needs by itself; of |s| where the coding has no sign"
      ) { $0.spikesPerChannel(coding) }
      try counted(
        "steps_per_channel_\(name)", units: "steps per channel",
        "steps that a count needs by itself"
      ) { $0.stepsPerChannel(coding) }
    }
    for definition in Sparsity.allCases {
      try counted(
        "sparsity_\(definition.rawValue.replacing("-", with: "_"))", units: "1",
        "cells (channel, step) without a spike, bitwise coding; cells: \(definition.text)"
      ) { $0.sparsity(definition) }
    }
    try column(
      file, "relative_error", units: "1",
      "of the projection's output, |W(s V_th) - W x| / |W x| per token, root mean square over "
        + "sampled tokens"
    ) { $1.relativeError($0.projection) }
    try file.dataset(
      "summary/sensitivity",
      .doubles(rows.map { result.sensitivities[$0.group] ?? .nan }), shape: [rows.count],
      attributes: [
        ("units", "nats per token"),
        (
          "definition", "KL(unspiked || only this layer's group spiked at k = 3); NaN: not measured"
        ),
      ])
  }

  private func histograms(_ file: HDF5Writer) throws {
    try file.group("histograms")
    try file.dataset(
      "histograms/count",
      .integers(rows.flatMap { $0.measured.statistics.histogram.map(Int64.init) }),
      shape: [rows.count, 511],
      attributes: [("units", "channels"), ("definition", "column c counts s = c - 255")])
    let larger = rows.enumerated().flatMap { index, row in
      row.measured.statistics.larger.sorted { $0.key < $1.key }.flatMap {
        [Int64(index), Int64($0.key), Int64($0.value)]
      }
    }
    try file.dataset(
      "histograms/larger_count", .integers(larger), shape: [larger.count / 3, 3],
      attributes: [
        ("units", "row, spikes, channels"), ("definition", "counts with |s| > 255, exactly"),
      ])
    try file.dataset(
      "histograms/mean_magnitude", .integers(rows.flatMap { $0.measured.means.map(Int64.init) }),
      shape: [rows.count, GroupMeasurement.meanBins],
      attributes: [
        ("units", "tokens (heads of tokens for rotated queries)"),
        (
          "definition",
          "mean|x|; column c counts 2^(c/4 - 24) to 2^((c+1)/4 - 24), the outer ones all beyond"
        ),
      ])
  }

  private func trials(_ file: HDF5Writer) throws {
    let ks = rows.lazy.map { $0.measured.trials.map(\.k) }.max { $0.count < $1.count } ?? []
    guard !ks.isEmpty else { return }
    try file.group("trials")
    func matrix(
      _ name: String, units: String, _ definition: String,
      _ value: (SpikingSite, GroupMeasurement.Trial) -> Double?
    ) throws {
      let values = rows.flatMap { row in
        ks.map { k in
          row.measured.trials.first { $0.k == k }.flatMap { value(row.site, $0) } ?? .nan
        }
      }
      try file.dataset(
        "trials/\(name)", .doubles(values), shape: [rows.count, ks.count],
        attributes: [("units", units), ("definition", definition)])
    }
    try file.dataset(
      "trials/k", .doubles(ks), shape: [ks.count],
      attributes: [("units", "1"), ("definition", "the k of each column")])
    try matrix(
      "spikes_per_channel", units: "spikes per channel", "bitwise coding, sampled tokens"
    ) { $1.statistics.spikesPerChannel(.bitwise) }
    try matrix("silent_share", units: "1", "sampled tokens") { $1.statistics.silentShare }
    try matrix("share_up_to_7", units: "1", "sampled tokens") { $1.statistics.share(upTo: 7) }
    try matrix("sparsity_own_length", units: "1", "sampled tokens") {
      $1.statistics.sparsity(.ownLength)
    }
    try matrix("sparsity_three_steps", units: "1", "sampled tokens") {
      $1.statistics.sparsity(.threeSteps)
    }
    try matrix(
      "relative_error", units: "1", "as in /summary, at each k"
    ) { site, trial in trial.errors[site.projection]?.mean.squareRoot() }
  }
}

extension HDF5Compression {
  /// The same as the writer calls it.
  var ofChunks: HDF5Writer.Compression {
    switch self {
    case .deflate: .deflate
    case .zstd: .zstd
    }
  }
}
