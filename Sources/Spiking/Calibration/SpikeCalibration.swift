public import Architectures
public import Communication
import Foundation
import Kernels
public import Runtime
public import StepSettings
public import TensorTypes

/// Measures a model's activations on samples of text, unspiked, and decides every k.
public struct SpikeCalibration {
  /// The model; of spiking it has at most the winners that the settings ask for.
  public let model: ModelDescription
  let weights: any WeightSource
  let residency: Model.Residency
  let settings: CalibrateSettings
  /// Token ids of each sample.
  public let samples: [[Int]]
  /// The processes that share the samples.
  let ranks: Communicator
  /// Tokens of all samples.
  public var tokens: Int { samples.reduce(0) { $0 + $1.count } }

  /// Rows of each group on which errors are measured, about.
  static let trialRows = 2048
  /// The k that `auto` tries.
  static let trialThresholds = [1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 8, 11, 16]
  /// The k that `auto` starts from, and whose spikes it keeps when no other goal is given.
  static let reportThreshold = 3.0
  /// How often the perplexity is measured for `--max-ppl-increase`.
  static let attempts = 5

  /// A calibration on `samples`, of which there is at least one, by all `ranks`.
  public init(
    of model: ModelDescription, weights: any WeightSource, residency: Model.Residency,
    settings: CalibrateSettings, samples: [[Int]], ranks: Communicator = .single
  ) {
    self.ranks = ranks
    var model = model
    model.spiking = nil
    if let winners = settings.winners {
      model.spiking = model.spikingSettings(winners: winners) { _ in nil }
    }
    self.model = model
    self.weights = weights
    self.residency = residency
    self.settings = settings
    self.samples = samples
  }

  /// `count` pieces of `context` tokens, spread evenly over `tokens`; fewer when there are not as
  /// many, and one shorter piece when there is not even one.
  public static func samples(of tokens: [Int], count: Int, context: Int) -> [[Int]] {
    guard tokens.count > context else { return [tokens] }
    let pieces = min(count, tokens.count / context)
    guard pieces > 1 else { return [Array(tokens[..<context])] }
    return (0..<pieces).map { index in
      let start = (tokens.count - context) * index / (pieces - 1)
      return Array(tokens[start..<start + context])
    }
  }

  /// What came out.
  public struct Result: Sendable {
    /// The settings that the checkpoint gets.
    public var spiking: SpikingSettings
    /// What was measured, by group, in the order of `ModelDescription.spikeGroups`.
    public var measurements: [(site: SpikeGroupSite, measurement: GroupMeasurement)]
    /// What spiking a group alone costs, in nats; empty when k was fixed.
    public var sensitivities: [SpikeGroupSite: Double]
    /// What spiking costs on some of the samples, winners included.
    public var cost: SpikingCost
    /// Experts that no token of the samples was sent to.
    public var idleExperts: [String]

    /// The counts of all groups that spike.
    public var total: SpikeStatistics {
      measurements.reduce(into: SpikeStatistics()) { $0.merge($1.measurement.statistics) }
    }
  }

  /// Measures and decides; `progress` is called with what is being done and the share of the whole, in
  /// time, that is done.
  public func run(progress report: (String, Double) -> Void = { _, _ in }) throws -> Result {
    let stages = stages
    func progress(_ stage: Stage, _ share: Double) {
      report(stage.rawValue, stages.share(stage, share))
    }
    let chosen: Choice
    switch settings.k {
    case .fixed(let k):
      chosen = Choice(sensitivities: [:], trials: nil) { site in
        site.group == .rotatedQuery ? settings.queryK.value : k
      }
    case .auto: chosen = try choose(progress)
    case .kept: chosen = Choice(sensitivities: [:], trials: nil) { _ in nil }
    }
    var observed = try measure(.measuring, progress) { site in
      let k = chosen.k(site)
      let trials = chosen.trials == nil ? k.map { [$0] } ?? [] : []
      return .init(k: k, trials: trials, every: every)
    }
    for (site, trials) in chosen.trials ?? [:] { observed[site]?.trials = trials }
    let spiking = self.spiking(chosen.k)
    return Result(
      spiking: spiking,
      measurements: model.spikeGroups.map { ($0, observed[$0] ?? GroupMeasurement()) },
      sensitivities: chosen.sensitivities,
      cost: try SpikingProbe(self).cost(of: spiking) { progress(.cost, $0) },
      idleExperts: idle(observed))
  }

  /// What `spiking` costs on some of the samples.
  public func cost(of spiking: SpikingSettings) throws -> SpikingCost {
    try SpikingProbe(self).cost(of: spiking)
  }

  /// What was decided before the last measurement.
  struct Choice {
    var sensitivities: [SpikeGroupSite: Double]
    var trials: [SpikeGroupSite: [GroupMeasurement.Trial]]?
    var k: (SpikeGroupSite) -> Double?
  }

  /// Every n-th row is tried.
  var every: Int { max(1, tokens / Self.trialRows) }

  /// The settings with the k that `value` gives.
  func spiking(_ value: (SpikeGroupSite) -> Double?) -> SpikingSettings {
    model.spikingSettings(
      coding: settings.coding, cache: settings.cache, winners: settings.winners, value)
  }

  /// Reads all samples unspiked.
  func measure(
    _ stage: Stage, _ progress: (Stage, Double) -> Void,
    task: @escaping (SpikeGroupSite) -> CalibrationObserver.Task
  ) throws -> [SpikeGroupSite: GroupMeasurement] {
    progress(stage, 0)
    let observer = CalibrationObserver(model, task: task)
    let model = try Model(
      self.model, weights: weights, residency: residency, observer: observer)
    for (index, sample) in samples.enumerated() {
      guard index % ranks.size == ranks.rank else {
        observer.skip(sample.count)
        continue
      }
      var state = DecodingState(for: self.model)
      _ = try model.extend(&state, with: sample)
      progress(stage, Double(index + 1) / Double(samples.count))
    }
    return try MeasurementSums(ranks: ranks, task: task)
      .merged(observer.measurements, at: self.model.spikeGroups)
  }

  private func idle(_ observed: [SpikeGroupSite: GroupMeasurement]) -> [String] {
    model.spikeGroups.filter {
      $0.group == .ffnInput && $0.expert != nil && (observed[$0]?.rows ?? 0) == 0
    }.map { site in
      guard case .routed(let index) = site.expert else { return "layer \(site.layer)" }
      return "layer \(site.layer) expert \(index)"
    }
  }

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

}
