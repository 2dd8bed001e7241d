public import Architectures
import HDF5

/// What a `calibration.h5` holds, read back.
public struct CalibrationRecord: Sendable {
  /// One projection.
  public struct Row: Sendable {
    /// Which one.
    public var site: SpikingSite
    /// Spikes of a channel as large as the mean; nil when it is not spiked.
    public var k: Double?
    /// The counts of what it reads.
    public var statistics: SpikeStatistics
    /// The relative error of its output; nil when it was not measured.
    public var relativeError: Double?
  }

  /// The projections in the file's order.
  public let rows: [Row]

  /// The rows, one for projections that read the same activations.
  public var groups: [(site: SpikeGroupSite, row: Row)] {
    rows.compactMap { row in
      guard let group = SpikeGroupSite(row.site),
        row.site.projection == group.group.projections.first
      else { return nil }
      return (group, row)
    }
  }

  /// The counts of the groups that `belongs` chooses, together.
  public func statistics(of belongs: (SpikeGroupSite) -> Bool = { _ in true }) -> SpikeStatistics {
    groups.reduce(into: SpikeStatistics()) { total, group in
      if belongs(group.site) { total.merge(group.row.statistics) }
    }
  }

  /// The layers that have rows, ascending.
  public var layers: [Int] { Set(rows.map(\.site.layer)).sorted() }

  /// Reads the file `path`, which was measured on `model`.
  public init(_ path: String, of model: ModelDescription) throws {
    rows = try HDF5Reader.read(path) { file in
      let names = try file.texts("projections")
      func column(_ name: String) throws(HDF5Error) -> [Double?] {
        try file.rows("summary/\(name)", count: names.count, width: 1).map {
          $0.isFinite ? $0 : nil
        }
      }
      let ks = try column("k"), tokens = try column("rows"), errors = try column("relative_error")
      let counts = try Self.statistics(file, rows: names.count)
      let sites = Dictionary(
        model.spikingSites.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
      return try names.enumerated().map { index, name in
        guard let site = sites[name] else {
          throw HDF5Error.failed(
            file: path, operation: "dataset projections",
            reason: "the model has no \(name); the file was measured on another one")
        }
        var statistics = counts[index]
        statistics.rows = tokens[index].flatMap { Int(exactly: $0) } ?? 0
        return Row(
          site: site, k: ks[index], statistics: statistics, relativeError: errors[index])
      }
    }
  }

  /// More spikes than this in a file are a fault: their sums might overflow.
  private static let mostSpikes = 1e17

  /// The counts of every row, without how many tokens they are of.
  private static func statistics(
    _ file: HDF5Reader, rows: Int
  ) throws(HDF5Error) -> [SpikeStatistics] {
    let bins = SpikeStatistics().histogram.count
    let common = try file.rows("histograms/count", count: rows, width: bins)
    let rare = try file.doubles("histograms/larger_count")
    func fault() -> HDF5Error {
      .failed(
        file: file.path, operation: "the histograms", reason: "they hold something else than counts"
      )
    }
    var spikes = 0.0
    for (place, times) in common.enumerated() {
      guard Int(exactly: times) != nil, times >= 0 else { throw fault() }
      spikes += times * Double(abs(place % bins - bins / 2) + 1)
    }
    var larger = [[Int32: Int]](repeating: [:], count: rows)
    guard rare.shape.count == 2, rare.shape[1] == 3 || rare.values.isEmpty else { throw fault() }
    for place in stride(from: 0, to: rare.values.count, by: 3) {
      guard let row = Int(exactly: rare.values[place]), larger.indices.contains(row),
        let count = Int32(exactly: rare.values[place + 1]), count.magnitude > bins / 2,
        let times = Int(exactly: rare.values[place + 2]), times > 0
      else { throw fault() }
      larger[row][count] = times
      spikes += Double(times) * Double(count.magnitude)
    }
    guard spikes < mostSpikes else { throw fault() }
    return (0..<rows).map { row in
      SpikeStatistics(
        histogram: common[bins * row..<bins * (row + 1)].map { Int($0) }, larger: larger[row])
    }
  }
}
