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
}
