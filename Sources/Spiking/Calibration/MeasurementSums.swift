import Communication
import Foundation

/// What several processes have measured, each on its own samples, put together.
struct MeasurementSums {
  private let ranks: Communicator
  /// Which k are tried at a place.
  private let task: (SpikeGroupSite) -> CalibrationObserver.Task

  init(ranks: Communicator, task: @escaping (SpikeGroupSite) -> CalibrationObserver.Task) {
    self.ranks = ranks
    self.task = task
  }

  /// The measurements of all processes at `sites`, which all name in the same order.
  func merged(
    _ own: [SpikeGroupSite: GroupMeasurement], at sites: [SpikeGroupSite]
  ) throws -> [SpikeGroupSite: GroupMeasurement] {
    guard ranks.size > 1 else { return own }
    var merged: [SpikeGroupSite: GroupMeasurement] = [:]
    // Layer by layer: with many experts and thresholds, all counts together would take gigabytes.
    for (_, sites) in Dictionary(grouping: sites, by: \.layer).sorted(by: { $0.key < $1.key }) {
      merged.merge(try layer(own, sites)) { $1 }
    }
    return merged
  }

  private func layer(
    _ own: [SpikeGroupSite: GroupMeasurement], _ sites: [SpikeGroupSite]
  ) throws -> [SpikeGroupSite: GroupMeasurement] {
    var numbers: [Double] = [], rare: [Rare] = []
    for (index, site) in sites.enumerated() {
      let measured = complete(own[site] ?? GroupMeasurement(), at: site)
      numbers.append(own[site] == nil ? 0 : 1)
      for value in measured.sums(of: site) { numbers.append(value) }
      for (position, statistics) in measured.allStatistics.enumerated() {
        rare += statistics.larger.map {
          Rare(site: index, statistics: position, count: $0.key, times: $0.value)
        }
      }
    }
    try ranks.sum(&numbers)
    let allRare = Dictionary(grouping: try ranks.all(rare).flatMap { $0 }, by: \.site)
    var merged: [SpikeGroupSite: GroupMeasurement] = [:], rest = numbers[...]
    for (index, site) in sites.enumerated() {
      let isSeen = rest.removeFirst() > 0
      var measured = complete(GroupMeasurement(), at: site)
      measured.take(&rest, of: site, larger: allRare[index] ?? [])
      if isSeen { merged[site] = measured }
    }
    return merged
  }

  /// `measured` with the k and the trials that a place gets, so that all processes sum the same.
  private func complete(
    _ measured: GroupMeasurement, at site: SpikeGroupSite
  ) -> GroupMeasurement {
    var measured = measured
    let task = task(site)
    measured.k = task.k
    if measured.trials.isEmpty { measured.trials = task.trials.map { .init(k: $0) } }
    return measured
  }

  /// A count beyond the histogram.
  fileprivate struct Rare: Codable {
    var site: Int
    var statistics: Int
    var count: Int32
    var times: Int
  }
}

extension GroupMeasurement {
  /// At the chosen k, and of every trial.
  fileprivate var allStatistics: [SpikeStatistics] { [statistics] + trials.map(\.statistics) }

  /// What adds up, in the order in which `take` reads it.
  fileprivate func sums(of site: SpikeGroupSite) -> [Double] {
    var sums = [Double(rows), Double(unusable)] + means.map(Double.init)
    for statistics in allStatistics {
      sums.append(Double(statistics.rows))
      sums += statistics.histogram.map(Double.init)
    }
    for trial in trials {
      for projection in site.group.projections {
        let error = trial.errors[projection]
        sums += [error == nil ? 0 : 1, error?.sum ?? 0, Double(error?.rows ?? 0)]
      }
    }
    return sums
  }

  /// Takes the sums of all processes from the front of `values`; trials are known already.
  fileprivate mutating func take(
    _ values: inout ArraySlice<Double>, of site: SpikeGroupSite, larger: [MeasurementSums.Rare]
  ) {
    func next(_ count: Int, _ values: inout ArraySlice<Double>) -> [Double] {
      defer { values = values.dropFirst(count) }
      return Array(values.prefix(count))
    }
    let counts = next(2, &values)
    (rows, unusable) = (Int(counts[0]), Int(counts[1]))
    means = next(means.count, &values).map { Int($0) }
    let rare = Dictionary(grouping: larger, by: \.statistics)
    for position in 0...trials.count {
      let rows = Int(next(1, &values)[0])
      var statistics = SpikeStatistics(
        histogram: next(SpikeStatistics().histogram.count, &values).map { Int($0) },
        larger: (rare[position] ?? []).reduce(into: [:]) { $0[$1.count, default: 0] += $1.times })
      statistics.rows = rows
      if position == 0 {
        self.statistics = statistics
      } else {
        trials[position - 1].statistics = statistics
      }
    }
    for index in trials.indices {
      for projection in site.group.projections {
        let error = next(3, &values)
        guard error[0] > 0 else { continue }
        trials[index].errors[projection] = .init(sum: error[1], rows: Int(error[2]))
      }
    }
  }
}
