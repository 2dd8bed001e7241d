import Architectures
import Runtime
import StepSettings

extension SpikeCalibration {
  /// What is done, in order.
  enum Stage: String, CaseIterable {
    case trying = "trying thresholds"
    case sensitivity = "measuring sensitivity"
    case checking = "checking the perplexity"
    case measuring
    case cost = "measuring the cost"
  }

  /// How the time is spread over the stages.
  package struct Stages {
    /// Tokens that each stage takes through a layer, an output head counting as the layers that it is as
    /// large as.
    fileprivate var costs: [Stage: Double] = [:]

    /// All stages, in tokens through a layer.
    package var work: Double { costs.values.reduce(0, +) }

    /// The share of all stages that is done when `share` of one is.
    func share(_ stage: Stage, _ share: Double) -> Double {
      func sum(_ stages: some Sequence<Stage>) -> Double {
        stages.reduce(0) { $0 + (costs[$1] ?? 0) }
      }
      return (sum(Stage.allCases.prefix { $0 != stage }) + share * (costs[stage] ?? 0))
        / max(sum(Stage.allCases), 1)
    }
  }

  /// The stages that these settings call for.
  package var stages: Stages {
    let probe = SpikingProbe(self), all = Double(tokens * model.layers.count)
    let whole =
      Double(probe.samples.reduce(0) { $0 + $1.count })
      * (Double(model.layers.count) + model.headLayers)
    var stages = Stages(costs: [.measuring: all, .cost: 2 * whole])
    guard settings.k == .auto else { return stages }
    stages.costs[.trying] = all
    stages.costs[.sensitivity] = probe.costs(of: parts).reduce(0, +)
    if settings.targetSparsity == nil, settings.maxPerplexityIncrease != nil {
      stages.costs[.checking] = Double(Self.attempts + 1) * whole
    }
    return stages
  }
}

extension SpikingProbe {
  /// What each of `parts` takes, in tokens through a layer: it begins at its own.
  func costs(of parts: [(layer: Int, group: SpikeGroup)]) -> [Double] {
    let model = calibration.model
    let tokens = Double(samples.reduce(0) { $0 + $1.count })
    return parts.map { tokens * (Double(model.layers.count - $0.layer) + model.headLayers) }
  }
}
