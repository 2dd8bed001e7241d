import Foundation

/// Distributes k over groups: each spike goes where it saves the most divergence.
///
/// Divergences are taken to add up, and each to follow its group's output error over k; both are
/// approximations, which the measured perplexity then judges. For a price per spike every group
/// minimises its divergence plus the price of its spikes by itself.
struct SpikeAllocation {
  let items: [Item]

  /// The k that are considered: sixteenths, which a configuration prints exactly.
  static let candidates = stride(from: 16, through: 256, by: 1).map { Double($0) / 16 }

  /// A group with what it costs and spikes at each candidate.
  struct Item {
    let site: SpikeGroupSite
    /// Nats per token.
    let costs: [Double]
    /// Spikes, weighted by how many activations the group has.
    let spikes: [Double]
    /// Cells (own-length), weighted likewise.
    let cells: [Double]
    /// Activations.
    let channels: Double

    /// The group `site`, of which `trials` are known and whose divergence at k = 3 is `cost`; nil
    /// without trials.
    init?(_ site: SpikeGroupSite, cost: Double, rows: Int, trials: [GroupMeasurement.Trial]) {
      guard let first = trials.first, first.statistics.channels > 0 else { return nil }
      self.site = site
      let columns = Double(first.statistics.channels) / Double(first.statistics.rows)
      channels = columns * Double(rows)
      let ks = trials.map { log($0.k) }
      func curve(_ values: [Double]) -> (Double) -> Double {
        { k in interpolate(at: log(k), ks, values) }
      }
      let errors = curve(trials.map { log(max($0.error ?? 0, 1e-30)) })
      let spikes = curve(trials.map { $0.statistics.spikesPerChannel(.bitwise) })
      let cells = curve(
        trials.map { trial in
          let spikes = trial.statistics.spikesPerChannel(.bitwise)
          return spikes / max(1 - trial.statistics.sparsity(.ownLength), 1e-9)
        })
      let reference = errors(SpikeCalibration.reportThreshold)
      let channels = channels
      costs = SpikeAllocation.candidates.map { cost * exp(errors($0) - reference) }
      self.spikes = SpikeAllocation.candidates.map { channels * spikes($0) }
      self.cells = SpikeAllocation.candidates.map { channels * cells($0) }
    }
  }

  /// One choice for all groups.
  struct Choice {
    var indices: [Int]
    /// Predicted nats per token.
    var cost = 0.0
    /// Spikes per channel.
    var spikes = 0.0
    /// Own-length sparsity.
    var sparsity = 0.0
  }

  private func evaluate(_ indices: [Int]) -> Choice {
    var choice = Choice(indices: indices), cells = 0.0, channels = 0.0, spikes = 0.0
    for (item, index) in zip(items, indices) {
      choice.cost += item.costs[index]
      spikes += item.spikes[index]
      cells += item.cells[index]
      channels += item.channels
    }
    choice.spikes = spikes / max(channels, 1)
    choice.sparsity = 1 - spikes / max(cells, 1e-9)
    return choice
  }

  /// The same k for all.
  func uniform(_ k: Double) -> Choice {
    let index = Self.candidates.firstIndex(of: k) ?? 0
    return evaluate(items.map { _ in index })
  }

  /// The choice for one price of a spike.
  private func choice(price: Double) -> Choice {
    evaluate(
      items.map { item in
        Self.candidates.indices.min {
          item.costs[$0] + price * item.spikes[$0] < item.costs[$1] + price * item.spikes[$1]
        } ?? 0
      })
  }

  /// The k of the lowest price at which `holds`, which higher prices make true.
  func least(where holds: (Choice) -> Bool) -> [SpikeGroupSite: Double] {
    named(choice(price: boundary(holds)))
  }

  /// The k of the highest price at which `holds`, which higher prices make false.
  func sparsest(where holds: (Choice) -> Bool) -> [SpikeGroupSite: Double] {
    var (low, high) = Self.prices
    guard holds(choice(price: exp(low))) else { return named(choice(price: exp(low))) }
    for _ in 0..<Self.bisections {
      let middle = (low + high) / 2
      if holds(choice(price: exp(middle))) { low = middle } else { high = middle }
    }
    return named(choice(price: exp(low)))
  }

  /// The lowest price at which `holds`.
  private func boundary(_ holds: (Choice) -> Bool) -> Double {
    var (low, high) = Self.prices
    for _ in 0..<Self.bisections {
      let middle = (low + high) / 2
      if holds(choice(price: exp(middle))) { high = middle } else { low = middle }
    }
    return exp(high)
  }

  private func named(_ choice: Choice) -> [SpikeGroupSite: Double] {
    Dictionary(
      zip(items.map(\.site), choice.indices.map { Self.candidates[$0] }),
      uniquingKeysWith: { first, _ in first })
  }

  /// Logarithms of nats per spike, far beyond both ends.
  private static let prices = (-80.0, 20.0)
  private static let bisections = 60
}

/// The piecewise linear curve through (xs, ys) at x, extended beyond both ends; xs ascend.
private func interpolate(at x: Double, _ xs: [Double], _ ys: [Double]) -> Double {
  guard xs.count > 1 else { return ys.first ?? 0 }
  var index = xs.firstIndex { $0 > x } ?? xs.count - 1
  index = min(max(index, 1), xs.count - 1)
  let share = (x - xs[index - 1]) / (xs[index] - xs[index - 1])
  return ys[index - 1] + share * (ys[index] - ys[index - 1])
}
