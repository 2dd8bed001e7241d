import Architectures
import Foundation
import Kernels
import StepSettings

extension SpikeCalibration {
  /// Measures what each group's spikes cost and gain, and distributes k.
  func choose(_ progress: (Stage, Double) -> Void) throws -> Choice {
    // Rounding to bfloat16 is far below what spiking does, and takes half of the time.
    let observed = try Execution.with(precision: .bfloat16) {
      try measure(.trying, progress) { site in
        .init(
          k: nil, trials: isChosen(site.group) ? Self.trialThresholds : [], every: every)
      }
    }
    let parts = parts
    let probe = SpikingProbe(self)
    let costs = try Execution.with(precision: .bfloat16) {
      try probe.divergences(
        of: parts, k: { _ in Self.reportThreshold },
        progress: { progress(.sensitivity, $0) })
    }
    var sensitivities: [SpikeGroupSite: Double] = [:]
    var items: [SpikeAllocation.Item] = []
    for (part, cost) in zip(parts, costs) {
      // The experts of a layer share the cost of their group by the rows that they get.
      let sites = model.spikeGroups.filter { $0.layer == part.layer && $0.group == part.group }
      let rows = sites.reduce(0) { $0 + (observed[$1]?.rows ?? 0) }
      for site in sites {
        guard let measurement = observed[site], measurement.rows > 0 else { continue }
        let share = cost * Double(measurement.rows) / Double(rows)
        sensitivities[site] = share
        // Each head's queries have a threshold of their own, and count as rows of statistics.
        let heads = site.group == .rotatedQuery ? model.queryWidth / model.headDim : 1
        if let item = SpikeAllocation.Item(
          site, cost: share, rows: measurement.rows * heads, trials: measurement.trials)
        {
          items.append(item)
        }
      }
    }
    let allocation = SpikeAllocation(items: items)
    let chosen = try distribute(allocation, probe, progress)
    let fallback = layerMeans(chosen)
    return Choice(
      sensitivities: sensitivities, trials: observed.mapValues(\.trials)
    ) { site in
      guard isChosen(site.group) else { return settings.queryK.value }
      var dense = site
      dense.expert = nil
      return chosen[site] ?? fallback[dense] ?? Self.reportThreshold
    }
  }

  /// Whether the k of `group` are measured: those of queries may be fixed.
  private func isChosen(_ group: SpikeGroup) -> Bool {
    group != .rotatedQuery || settings.queryK == .auto
  }

  /// What is tried alone: the groups of every layer whose k is measured.
  var parts: [(layer: Int, group: SpikeGroup)] {
    model.layers.indices.flatMap { layer in
      groups(ofLayer: layer).filter(isChosen).map { (layer, $0) }
    }
  }

  /// The groups that layer `layer` has.
  private func groups(ofLayer layer: Int) -> [SpikeGroup] {
    let sites = model.spikeGroups.filter { $0.layer == layer }
    return SpikeGroup.allCases.filter { group in sites.contains { $0.group == group } }
  }

  /// What experts without a token of their own use: the mean of their layer's.
  private func layerMeans(_ chosen: [SpikeGroupSite: Double]) -> [SpikeGroupSite: Double] {
    var sums: [SpikeGroupSite: (sum: Double, count: Int)] = [:]
    // In the order of the model, so that sums do not depend on a hash.
    for site in model.spikeGroups {
      guard let k = chosen[site] else { continue }
      var dense = site
      dense.expert = nil
      sums[dense, default: (0, 0)].sum += k
      sums[dense, default: (0, 0)].count += 1
    }
    return sums.mapValues { ($0.sum / Double($0.count) * 16).rounded() / 16 }
  }

  private func distribute(
    _ allocation: SpikeAllocation, _ probe: SpikingProbe, _ progress: (Stage, Double) -> Void
  ) throws -> [SpikeGroupSite: Double] {
    if let sparsity = settings.targetSparsity {
      return allocation.least { $0.sparsity >= sparsity }
    }
    guard let percent = settings.maxPerplexityIncrease else {
      let budget = allocation.uniform(Self.reportThreshold).spikes
      return allocation.least { $0.spikes <= budget }
    }
    // Predicted first; then the prediction is corrected by what is measured.
    progress(.checking, 0)
    let unspiked = try probe.perplexity(model.spiking)
    var limit = log(1 + percent / 100), best: [SpikeGroupSite: Double]?
    for attempt in 0..<Self.attempts {
      let chosen = allocation.sparsest { $0.cost <= limit }
      let spiked = try probe.perplexity(
        spiking { isChosen($0.group) ? chosen[$0] : settings.queryK.value })
      progress(.checking, Double(attempt + 1) / Double(Self.attempts))
      let increase = log(spiked / unspiked), wanted = log(1 + percent / 100)
      if increase <= wanted { best = chosen }
      // A little below, so that the next attempt is likely to hold.
      limit *= increase > 0 ? min(max(0.97 * wanted / increase, 0.25), 2) : 2
    }
    return best ?? allocation.sparsest { $0.cost <= 0 }
  }

  /// How often the perplexity is measured for `--max-ppl-increase`.
  static let attempts = 5
}
