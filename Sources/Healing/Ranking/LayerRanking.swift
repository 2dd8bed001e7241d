public import Architectures
import Foundation
import StepSettings
import Streams
public import TensorTypes

/// Measures what each layer of a source model would cost as a linear layer.
///
/// Front to back, one layer of weights in memory: the layer's attention is fitted in closed form by
/// a short-memory linear layer on the training segments. On the held-out segments the rest of the
/// source then runs with that one layer's attention replaced by its fit, and how far the
/// predictions end up from the source's is what the layer costs. All these variants pass through a
/// layer together, so every weight is read once.
public struct LayerRanking {
  let source: DescribedModel
  let sweep: Sweep
  private let directory: String

  /// How layers are fitted: as the closed form of a healing.
  static let settings: HealSettings = {
    var settings = HealSettings()
    settings.method = .ridge
    return settings
  }()

  /// What one layer costs.
  public struct Score: Sendable, Equatable, Codable {
    /// The layer.
    public var layer: Int
    /// Mean KL(source‖source with this layer linear) over held-out tokens, in nats.
    public var divergence: Double
    /// Held-out squared error of the fitted attention output, relative to the source's.
    public var error: Double
  }

  /// A ranking of the layers of `model` on `tokens`.
  ///
  /// - Parameters:
  ///   - context: tokens per segment, each read from an empty state; four segments are needed.
  ///   - directory: an existing directory for streams, which are removed, and for the scores, which
  ///     stay: a run that was stopped goes on with what it finds there.
  public init(
    model: ModelDescription, weights: any WeightSource, tokens: [Int], context: Int,
    directory: String
  ) throws {
    source = DescribedModel(model, weights: weights)
    self.directory = directory
    sweep = Sweep(
      of: try Segments(of: tokens, length: context), layers: model.layers.count,
      in: directory + "/ranking")
  }

  /// The most costly layers first; of equals, the first layer first.
  public static func ranked(_ scores: [Score]) -> [Score] {
    scores.sorted { ($1.divergence, $0.layer) < ($0.divergence, $1.layer) }
  }

  /// The score of every layer, in order of layers; `progress` is called with the share done.
  public func scores(progress: (Double) throws -> Void = { _ in }) throws -> [Score] {
    try Workspace(directory: directory).once("ranking.json") {
      let work = sweep.workspace.directory
      try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
      let scores = try measure(progress: progress)
      try FileManager.default.removeItem(atPath: work)
      return scores
    }
  }

  /// What it takes, in tokens through a layer.
  public var work: Double {
    let trial = LinearTrial(source: source, segments: sweep.segments)
    return Double(sweep.segments.length) * (trial.schedule?.total ?? 0)
  }

  private func measure(progress: (Double) throws -> Void) throws -> [Score] {
    let trial = LinearTrial(source: source, segments: sweep.segments)
    var trials: [LinearTrial.Report] = try sweep.finishedReports()
    _ = try sweep.run(trial, progress: { try progress($0.total) }, report: { trials.append($0) })
    let predictions = try Predictions(of: source)
    let divergences = try predictions.divergences(
      of: trials.map { try sweep.stream(trial.variant($0.layer), entering: sweep.depth) },
      from: sweep.stream(trial.whole, entering: sweep.depth), of: predictions,
      over: sweep.segments.tokens(of: sweep.segments.heldOut))
    return try zip(trials, divergences).map { trial, divergence in
      guard divergence.isFinite else { throw HealingError.diverged(layer: trial.layer) }
      return Score(layer: trial.layer, divergence: divergence, error: trial.error)
    }
  }
}
